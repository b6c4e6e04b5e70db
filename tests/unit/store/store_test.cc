#include "store/store.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <future>
#include <mutex>
#include <thread>

#include "base/limits.h"
#include "fixture.h"
#include "store/directory.h"

using namespace mcptoken;
using namespace mcptoken::store;
using testing::mode_of;
using testing::new_object;
using testing::status_of;
using testing::StoreFixture;
using testing::system_principal;
using testing::TempDir;

namespace {

Result<void> nothing(Tx&) { return {}; }

// Holds the store's thread until it is let go.
class Gate {
 public:
  explicit Gate(Store& store) {
    store.run(system_principal(),
              [this](Tx&) -> Result<void> {
                entered_.set_value();
                open_.get_future().wait();
                return {};
              },
              {});
    entered_.get_future().wait();
  }
  void open() { open_.set_value(); }

 private:
  std::promise<void> entered_, open_;
};

}  // namespace

TEST_CASE("the directory and its files are for their owner alone") {
  TempDir dir;
  const mode_t old = umask(0);
  auto opened = Store::open(Options(dir.file("data")));
  REQUIRE(opened);
  REQUIRE((*opened)->run_and_wait(system_principal(), nothing));
  umask(old);
  CHECK(mode_of(dir.file("data")) == 0700);
  for (const char* file : {"lock", "mcptoken.db", "mcptoken.db-wal", "mcptoken.db-shm"}) {
    CHECK_MESSAGE(mode_of(dir.file("data/") + file) == 0600, file);
  }
}

TEST_CASE("an existing directory is narrowed only when it is ours") {
  TempDir dir;
  REQUIRE(chmod(dir.path().c_str(), 0755) == 0);
  std::ofstream(dir.file("somebody-elses")) << "x";
  auto refused = Store::open(Options(dir.path()));
  REQUIRE(!refused);
  CHECK(refused.error().status == Status::invalid);
  CHECK(mode_of(dir.path()) == 0755);
  std::filesystem::remove(dir.file("somebody-elses"));
  CHECK(Store::open(Options(dir.path())));
  CHECK(mode_of(dir.path()) == 0700);
  REQUIRE(chmod(dir.path().c_str(), 0755) == 0);
  CHECK(Store::open(Options(dir.path())));
  CHECK(mode_of(dir.path()) == 0700);
  CHECK(status_of(Store::open(Options(dir.file("no/such/parent")))) == Status::io);
  CHECK(status_of(Store::open(Options(dir.file("lock")))) == Status::io);
}

TEST_CASE("one store per directory, in this process and in others") {
  TempDir dir;
  auto first = Store::open(Options(dir.path()));
  REQUIRE(first);
  auto second = Store::open(Options(dir.path()));
  REQUIRE(!second);
  CHECK(second.error().status == Status::busy);
  CHECK(second.error().message ==
        "the data directory " + dir.path() + " is in use by process " + std::to_string(getpid()));
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) _exit(status_of(Store::open(Options(dir.path()))) == Status::busy ? 7 : 1);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 7);
  (*first)->close();
  CHECK(Store::open(Options(dir.path())));
}

TEST_CASE("a newer database is refused and left alone") {
  TempDir dir;
  { REQUIRE(Store::open(Options(dir.path()))); }
  {
    auto connection = db::Connection::open(db::OpenOptions(database_path(dir.path())));
    auto transaction = db::Transaction::begin(**connection);
    REQUIRE(transaction->run("UPDATE schema_versions SET version = 99"));
    REQUIRE(transaction->commit());
  }
  auto refused = Store::open(Options(dir.path()));
  REQUIRE(!refused);
  CHECK(refused.error().status == Status::not_supported);
}

TEST_CASE_FIXTURE(StoreFixture, "jobs run in the order they were queued, and are acknowledged in it") {
  std::vector<int> worked, acknowledged;
  Gate gate(*store);
  for (int i = 0; i < 100; ++i) {
    store->run(
        system_principal(),
        [&worked, i](Tx& tx) -> Result<void> {
          worked.push_back(i);
          return i % 10 == 3 ? Result<void>(fail(Status::denied, "no")) : tx.set_setting("last", std::to_string(i));
        },
        [&acknowledged, i](Result<void> done, const Changes&) {
          CHECK(status_of(done) == (i % 10 == 3 ? Status::denied : Status::ok));
          acknowledged.push_back(i);
        });
  }
  gate.open();
  store->close();
  CHECK(worked.size() == 100);
  CHECK(std::is_sorted(worked.begin(), worked.end()));
  CHECK(acknowledged == worked);
}

TEST_CASE_FIXTURE(StoreFixture, "done is called after the commit: another connection sees the change") {
  std::promise<std::string> seen;
  const std::string path = database_path(dir.file("data"));
  store->run(
      system_principal(), [](Tx& tx) { return tx.set_setting("a", "b"); },
      [&](Result<void> done, const Changes&) {
        REQUIRE(done);
        auto other = db::Connection::open(db::OpenOptions(path));
        auto rows = (*other)->prepare("SELECT value FROM settings WHERE key = 'a'");
        seen.set_value(*rows->step() ? rows->text(0) : "nothing");
      });
  CHECK(seen.get_future().get() == "b");
}

TEST_CASE_FIXTURE(StoreFixture, "the job knows who asks and what time it is") {
  rbac::Principal who;
  who.kind = rbac::PrincipalKind::user;
  who.user_id = "u1";
  REQUIRE(store->run_and_wait(who, [&](Tx& tx) -> Result<void> {
    CHECK(tx.who().user_id == "u1");
    CHECK(tx.now_ms() == clock.now_ms);
    return {};
  }));
}

TEST_CASE_FIXTURE(StoreFixture, "a read job changes nothing and does not wait for a sync") {
  CHECK(status_of(store->read_and_wait(system_principal(), [](Tx& tx) { return tx.set_setting("a", "b"); })) ==
        Status::misuse);
  const std::string id = add("server", "x");
  CHECK(store->read_and_wait(system_principal(), [&](Tx& tx) -> Result<void> {
    CHECK(tx.get(id));
    CHECK(status_of(tx.remove(id)) == Status::misuse);
    CHECK(tx.get(id));
    return {};
  }));
}

TEST_CASE_FIXTURE(StoreFixture, "a full queue refuses at once, and everything accepted is done") {
  Gate gate(*store);
  int done = 0;
  for (size_t i = 0; i < limits::kStoreQueue; ++i) {
    store->read(system_principal(), nothing, [&](Result<void> result, const Changes&) { done += result.has_value(); });
  }
  Status refused = Status::ok;
  std::thread::id where;
  store->run(system_principal(), nothing, [&](Result<void> result, const Changes&) {
    refused = status_of(result);
    where = std::this_thread::get_id();
  });
  CHECK(refused == Status::busy);
  CHECK(where == std::this_thread::get_id());
  gate.open();
  store->close();
  CHECK(done == static_cast<int>(limits::kStoreQueue));
  CHECK(status_of(store->run_and_wait(system_principal(), nothing)) == Status::unavailable);
}

TEST_CASE_FIXTURE(StoreFixture, "the store's own thread cannot wait for itself") {
  write([&](Tx&) { CHECK(status_of(store->run_and_wait(system_principal(), nothing)) == Status::misuse); });
}

TEST_CASE_FIXTURE(StoreFixture, "closing takes the log into the file") {
  add("server", "x");
  store->close();
  store->close();
  CHECK(std::filesystem::file_size(database_path(dir.file("data")) + "-wal") == 0);
}

TEST_CASE_FIXTURE(StoreFixture,
                  "background work goes behind queued jobs, in transactions of its own, until nothing waits") {
  std::mutex mutex;
  std::string order;
  std::promise<void> finished;
  auto note = [&](char what) {
    std::lock_guard guard(mutex);
    order += what;
  };
  int left = 3;
  Gate gate(*store);
  store->set_background({[&](Tx& tx) -> Result<bool> {
                           CHECK(tx.who().kind == rbac::PrincipalKind::system);
                           auto level = tx.db().prepare("PRAGMA synchronous");
                           CHECK(*level->step());
                           CHECK(level->integer(0) == 1);
                           MCPT_CHECK(tx.set_setting("background", std::to_string(left)));
                           note('b');
                           return --left > 0;
                         },
                         [&](bool committed) {
                           CHECK(committed);
                           if (left == 0) finished.set_value();
                         }});
  for (int i = 0; i < 5; ++i) {
    store->run(system_principal(),
               [&](Tx& tx) -> Result<void> {
                 auto level = tx.db().prepare("PRAGMA synchronous");
                 CHECK(*level->step());
                 CHECK(level->integer(0) == 2);
                 note('j');
                 return {};
               },
               {});
  }
  gate.open();
  finished.get_future().wait();
  store->close();
  CHECK(order == "jjjjjbbbb");  // the last one is the turn that close() gives
  reopen();
  write([&](Tx& tx) { CHECK(*tx.setting("background") == "0"); });
}

TEST_CASE_FIXTURE(StoreFixture, "jobs that never stop do not starve the background work") {
  std::atomic<bool> ran{false}, stop{false};
  std::function<void()> again = [&] {
    store->read(system_principal(), nothing, [&](Result<void>, const Changes&) {
      if (!stop) again();
    });
  };
  for (int i = 0; i < 10; ++i)
    again();
  store->set_background({[&](Tx&) -> Result<bool> {
                           ran = true;
                           return false;
                         },
                         {}});
  for (int i = 0; i < 20'000 && !ran; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const bool ran_beside_jobs = ran;  // closing gives a turn anyway
  stop = true;
  store->close();
  CHECK(ran_beside_jobs);
}

TEST_CASE_FIXTURE(StoreFixture,
                  "what arrives until the end is written at the end; a failure there is no endless loop") {
  std::atomic<int> waiting{0};
  int written = 0, refused = 0;
  store->set_background({[&](Tx&) -> Result<bool> {
                           written += waiting.exchange(0);
                           return false;
                         },
                         {}});
  for (int i = 0; i < 100; ++i) {
    ++waiting;
    store->wake_background();
  }
  store->close();
  CHECK(written == 100);
  reopen();
  store->set_background({[](Tx&) -> Result<bool> { return fail(Status::limit, "full"); },
                         [&](bool committed) { refused += !committed; }});
  store->close();
  CHECK(refused >= 1);
}

TEST_CASE_FIXTURE(StoreFixture, "a full disk refuses changes, leaves no half of one, and does not stop reads") {
  const std::string project = add("project", "home");
  write([&](Tx& tx) { REQUIRE(tx.db().connection().limit_pages(*tx.db().connection().pages() + 2)); });
  const std::string large(3000, 'x');
  auto fill = [&](int count) {
    return attempt([&](Tx& tx) -> Result<void> {
      for (int i = 0; i < count; ++i) {
        MCPT_CHECK(tx.insert(
            new_object("prompt", project, "p" + std::to_string(i), large, {{"p", project, OnDelete::cascade}})));
      }
      return {};
    });
  };
  CHECK(status_of(fill(50)) == Status::limit);
  write([&](Tx& tx) {
    CHECK(tx.list("prompt")->empty());
    CHECK(tx.referrers(project)->empty());
    CHECK(*tx.revision() == 1);
    REQUIRE(tx.db().connection().limit_pages(1'000'000));
  });
  auto done = fill(50);
  REQUIRE(done);
  CHECK(done->revision == 2);
}

TEST_CASE_FIXTURE(StoreFixture, "after a failed write nothing is there, and a new connection goes on") {
  constexpr int64_t mark = 123'456;  // a setting of the connection, not of the file
  auto page_limit = [](Tx& tx) {
    auto rows = tx.db().prepare("PRAGMA max_page_count");
    return rows->step() ? rows->integer(0) : 0;
  };
  add("server", "before");
  write([&](Tx& tx) {
    REQUIRE(tx.db().connection().limit_pages(mark));
    CHECK(page_limit(tx) == mark);
  });
  signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &old) == 0);
  const rlimit tight{std::filesystem::file_size(database_path(dir.file("data")) + "-wal"), old.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &tight) == 0);
  auto failed = attempt([](Tx& tx) -> Result<void> {
    MCPT_CHECK(tx.insert(new_object("server", "", "lost", std::string(100'000, 'x'))));
    return {};
  });
  REQUIRE(setrlimit(RLIMIT_FSIZE, &old) == 0);
  CHECK(status_of(failed) == Status::io);
  add("server", "after");
  write([&](Tx& tx) {
    CHECK(page_limit(tx) != mark);
    CHECK(tx.get("server", "", "before"));
    CHECK(tx.get("server", "", "after"));
    CHECK(status_of(tx.get("server", "", "lost")) == Status::not_found);
  });
}

TEST_CASE_FIXTURE(StoreFixture, "a job that runs out of memory is answered") {
  CHECK(status_of(attempt([](Tx& tx) -> Result<void> {
          MCPT_CHECK(tx.set_setting("a", "b"));
          throw std::bad_alloc();
        })) == Status::no_memory);
  write([&](Tx& tx) { CHECK(!*tx.setting("a")); });
}
