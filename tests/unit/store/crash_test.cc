// A process that is killed at any moment loses nothing it has acknowledged and leaves nothing half done. (It says
// nothing about a power loss: the system still has what a killed process wrote.)
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>
#include <thread>

#include "trail.h"

using namespace mcptoken;
using namespace mcptoken::store;
using testing::begin_trail;
using testing::change;
using testing::check_whole;
using testing::system_principal;
using testing::TempDir;

namespace {

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
  store.run(system_principal(), begin_trail, {});
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
  if (from_first) REQUIRE(poll(&first_one, 1, 60'000) == 1);
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
