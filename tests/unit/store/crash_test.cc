// A process that is killed at any moment loses nothing it has acknowledged and leaves nothing half done. (It says
// nothing about a power loss: the system still has what a killed process wrote.)
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>
#include <thread>

#include "fixture.h"
#include "store/directory.h"

using namespace mcptoken;
using namespace mcptoken::store;
using testing::digest;
using testing::new_object;
using testing::status_of;
using testing::system_principal;
using testing::TempDir;

namespace {

// Each number is one transaction: an object, a token bound to it, and a setting, all or nothing; every third revokes
// the token before.
Result<void> change(Tx& tx, uint64_t number) {
  const std::string name = "n" + std::to_string(number);
  MCPT_TRY(auto project, tx.get("project", "", "home"));
  MCPT_TRY(auto user, tx.get("user", "", "ann"));
  MCPT_CHECK(tx.insert(new_object("prompt", project.id, name, "{}", {{"by", user.id, OnDelete::restrict_}})));
  NewToken token;
  token.name = name;
  token.project_id = project.id;
  token.owner_id = user.id;
  token.sha = digest(number);
  MCPT_TRY(auto inserted, tx.insert_token(std::move(token)));
  MCPT_CHECK(tx.insert(new_object("rbac", "", "mcptoken-" + inserted.id, "{}", {}, true, inserted.id)));
  if (number % 3 == 2) {
    MCPT_TRY(auto before, tx.find_token(digest(number - 1)));
    MCPT_CHECK(tx.revoke_token(before.id, "test"));
  }
  return tx.set_setting("last", std::to_string(number));
}

// Only system calls after the kill signal matter: the pipe carries each number after its done().
[[noreturn]] void write_until_killed(const std::string& dir, uint64_t first, int pipe_fd) {
  auto opened = Store::open(Options(dir));
  if (!opened) _exit(3);
  auto& store = **opened;
  store.set_background({[](Tx& tx) -> Result<bool> {  // the same connection in its other mode of durability
                          MCPT_TRY(auto seen, tx.setting("background"));
                          MCPT_CHECK(tx.set_setting("background", std::to_string(seen.value_or("").size())));
                          return true;
                        },
                        {}});
  store.run(system_principal(),
            [](Tx& tx) -> Result<void> {
              if (tx.get("project", "", "home")) return {};
              MCPT_CHECK(tx.insert(new_object("project", "", "home", "{}")));
              MCPT_CHECK(tx.insert(new_object("user", "", "ann", "{}")));
              return {};
            },
            {});
  for (uint64_t number = first;; ++number) {
    auto done = store.run_and_wait(system_principal(), [number](Tx& tx) { return change(tx, number); });
    if (!done) _exit(4);
    if (::write(pipe_fd, &number, sizeof number) != sizeof number) _exit(5);
  }
}

// The last number that was acknowledged before the kill; `first - 1` when there was none. `life` counts from the start,
// or from the first acknowledgement.
uint64_t run_and_kill(const std::string& dir, uint64_t first, std::chrono::microseconds life, bool from_first) {
  int fds[2];
  REQUIRE(pipe(fds) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::close(fds[0]);
    write_until_killed(dir, first, fds[1]);
  }
  ::close(fds[1]);
  pollfd first_one{fds[0], POLLIN, 0};
  if (from_first) REQUIRE(poll(&first_one, 1, 20'000) == 1);
  std::this_thread::sleep_for(life);
  kill(child, SIGKILL);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));  // an exit would be an error inside
  uint64_t last = first - 1, number = 0;
  while (read(fds[0], &number, sizeof number) == sizeof number) {
    REQUIRE(number == last + 1);
    last = number;
  }
  ::close(fds[0]);
  return last;
}

// How many whole transactions are there; fails when one is half there.
uint64_t check_whole(const std::string& dir) {
  auto opened = Store::open(Options(dir));
  REQUIRE(opened);
  uint64_t last = 0;
  REQUIRE((*opened)->read_and_wait(system_principal(), [&](Tx& tx) -> Result<void> {
    MCPT_TRY(auto setting, tx.setting("last"));
    last = setting ? std::stoull(*setting) : 0;
    MCPT_TRY(auto prompts, tx.list("prompt"));
    MCPT_TRY(auto tokens, tx.list_tokens());
    MCPT_TRY(auto bindings, tx.list("rbac"));
    CHECK(prompts.size() == last);
    CHECK(tokens.size() == last);
    uint64_t live = 0;
    for (const TokenRecord& token : tokens)
      live += !token.revoked_ms;
    CHECK(bindings.size() == live);
    CHECK(live == last - (last + 1) / 3);
    MCPT_TRY(auto sound, tx.db().prepare("PRAGMA integrity_check"));
    MCPT_CHECK(sound.step());
    CHECK(sound.text(0) == "ok");
    MCPT_TRY(auto broken, tx.db().prepare("SELECT 1 FROM pragma_foreign_key_check"));
    CHECK(!*broken.step());
    return {};
  }));
  return last;
}

}  // namespace

TEST_CASE("kill -9 loses nothing that was acknowledged") {
  TempDir dir;
  std::random_device device;
  const unsigned seed = device();
  CAPTURE(seed);
  std::mt19937 random(seed);
  uint64_t acknowledged = 0, stored = 0;
  for (int round = 0; round < 20; ++round) {
    const std::chrono::microseconds life(random() % 30'000);
    acknowledged = std::max(acknowledged, run_and_kill(dir.file("data"), stored + 1, life, round % 4 != 0));
    stored = check_whole(dir.file("data"));
    REQUIRE(stored >= acknowledged);
    REQUIRE(stored <= acknowledged + 1);  // the one whose acknowledgement was under way
    acknowledged = stored;
  }
  MESSAGE("acknowledged in 20 rounds: " << acknowledged);
  CHECK(acknowledged >= 15);
}
