#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop/loop.h"

using namespace mcptoken;
using namespace mcptoken::loop;

namespace {

// A loop that looks before it sleeps: one event follows the other within the bound, so that looking pays. Nothing comes to `end`.
class Looking {
 public:
  Looking() {
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, busy_) == 0);
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, quiet_) == 0);
    loop->set_busy_poll(10'000);
  }
  ~Looking() {
    for (int fd : {busy_[0], busy_[1], quiet_[0], quiet_[1]}) close(fd);
  }
  int end() const { return quiet_[0]; }

  // `on_event` after each of some hundred events, unless the loop is stopped; the looks between them are in vain.
  void run(Function<void()> on_event, int events = 300) {
    Watch watch(*loop);
    Timer pace(*loop);
    REQUIRE(watch.start(busy_[0], kReadable, [&](int) {
      char byte;
      if (read(busy_[0], &byte, 1) != 1) return;
      on_event();
      if (--events == 0) return loop->stop();
      pace.start(1, [this] { REQUIRE(write(busy_[1], "x", 1) == 1); });
    }));
    REQUIRE(write(busy_[1], "x", 1) == 1);
    loop->run();
  }

  std::unique_ptr<Loop> loop = std::move(Loop::create()).value();

 private:
  int busy_[2], quiet_[2];
};

}  // namespace

TEST_CASE("what is expected is asked without being ready, while the loop looks") {
  Looking looking;
  Watch quiet(*looking.loop);
  int asked = 0;
  REQUIRE(quiet.start(looking.end(), kReadable, [&](int events) {
    CHECK(events == kReadable);
    char byte;
    CHECK(read(looking.end(), &byte, 1) == -1);
    ++asked;
    looking.loop->stop();
  }));
  SUBCASE("once it is expected") {
    looking.run([&] { quiet.expect(); });
    CHECK(asked == 1);
  }
  SUBCASE("not unless somebody says so") {
    looking.run([] {});
    CHECK(asked == 0);
  }
  SUBCASE("not when another is expected since") {
    Watch other(*looking.loop);
    int fd = dup(looking.end());
    int others = 0;
    REQUIRE(other.start(fd, kReadable, [&](int) { ++others; }));
    looking.run([&] {
      quiet.expect();
      other.expect();
    });
    CHECK(asked == 0);
    CHECK(others > 0);
    other.stop();
    close(fd);
  }
  SUBCASE("not when it is paused, before or after") {
    looking.run([&] {
      quiet.change(kReadable);
      quiet.expect();
      quiet.change(0);
      quiet.expect();
    });
    CHECK(asked == 0);
  }
  SUBCASE("not when it has gone") {
    looking.run([&] {
      quiet.expect();
      quiet.stop();
    }, 20);
    CHECK(asked == 0);
  }
}

TEST_CASE("a loop that does not look asks nobody in vain") {
  Looking looking;
  looking.loop->set_busy_poll(0);
  Watch quiet(*looking.loop);
  int asked = 0;
  REQUIRE(quiet.start(looking.end(), kReadable, [&](int) { ++asked; }));
  looking.run([&] { quiet.expect(); }, 20);
  CHECK(asked == 0);
}

TEST_CASE("what an expected descriptor brings is worked on in the same look") {
  Looking looking;
  Watch quiet(*looking.loop);
  int asked = 0, worked = 0;
  REQUIRE(quiet.start(looking.end(), kReadable, [&](int) {
    if (++asked % 3 != 0) return;  // nothing was there
    looking.loop->defer([&] {
      ++worked;
      looking.loop->stop();
    });
  }));
  looking.run([&] { quiet.expect(); });
  CHECK(worked == 1);
  CHECK(asked == 3);
}
