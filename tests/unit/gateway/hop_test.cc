#include "gateway/hop.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

using namespace mcptoken;
using namespace mcptoken::gateway;

namespace {

// A home loop on a thread of its own, and an asker's that the test turns.
struct TwoLoops {
  TwoLoops() : asker(std::move(loop::Loop::create()).value()), home(std::move(loop::Loop::create()).value()) {
    thread = std::thread([this] { home->run(); });
  }
  ~TwoLoops() {
    home->post([this] { group.reset(); });
    home->stop();
    thread.join();
    home->run_once();
  }
  template <class Done>
  bool turn_until(Done&& done) {
    for (auto end = asker->now_ms() + 60'000; !done() && asker->now_ms() < end; std::this_thread::yield())
      asker->run_once();
    return done();
  }
  std::unique_ptr<loop::Loop> asker, home;
  std::unique_ptr<loop::Group> group = std::make_unique<loop::Group>();
  std::thread thread;
};

struct Work {
  std::atomic<bool> began{false};
  std::atomic<bool> cancelled{false};
};

loop::Task<Result<int>> waits(Work& work, loop::Scope& scope) {
  loop::Completion<int> never;
  work.began = true;
  auto value = co_await never.wait(scope);
  work.cancelled = !value;
  co_return value;
}

loop::Task<Result<void>> ask(TwoLoops& loops, Work& work, loop::Scope& scope) {
  Function<loop::Task<Result<int>>(loop::Scope&)> there = [&work](loop::Scope& inner) { return waits(work, inner); };
  auto task = on_loop<int>(*loops.asker, *loops.home, *loops.group, std::move(there), scope);
  auto value = co_await task;
  if (!value) co_return fail(value.error());
  co_return Result<void>();
}

}  // namespace

TEST_CASE("hop: cancelling the asker cancels the work on the other loop") {
  TwoLoops loops;
  Work work;
  loop::Group askers;
  bool ended = false;
  auto task = ask(loops, work, askers.scope());
  askers.spawn(std::move(task), [&](Result<void> result) { ended = !result; });
  REQUIRE(loops.turn_until([&] { return work.began.load(); }));
  askers.cancel(Error(Status::timeout, "too slow"));
  CHECK(ended);
  CHECK(loops.turn_until([&] { return work.cancelled.load(); }));
}

TEST_CASE("hop: an asker that is destroyed cancels the work, too") {
  TwoLoops loops;
  Work work;
  loop::Scope outside;  // not cancelled by the group's end
  {
    loop::Group askers;
    auto task = ask(loops, work, outside);
    askers.spawn(std::move(task));
    REQUIRE(loops.turn_until([&] { return work.began.load(); }));
  }
  CHECK(loops.turn_until([&] { return work.cancelled.load(); }));
}
