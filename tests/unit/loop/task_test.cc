#include "loop/task.h"

#include <doctest/doctest.h>

#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "loop/loop.h"

using namespace mcptoken;
using namespace mcptoken::loop;

namespace {

Task<Result<int>> immediate(int value) { co_return value; }

Task<Result<int>> sum(int count) {
  int total = 0;
  for (int i = 0; i < count; ++i) {
    MCPT_CO_TRY(int one, co_await immediate(1));
    total += one;
  }
  co_return total;
}

Task<Result<int>> waits(Completion<int>& completion, Scope& scope) {
  MCPT_CO_TRY(int value, co_await completion.wait(scope));
  co_return value + 1;
}

Task<Result<void>> store(Completion<int>& completion, Scope& scope, Result<int>& out) {
  auto task = waits(completion, scope);
  out = co_await task;
  co_return Result<void>();
}

struct Tracker {
  explicit Tracker(int& count_in) : count(count_in) { ++count; }
  ~Tracker() { --count; }
  int& count;
};

Task<Result<void>> holds(Completion<int>& completion, Scope& scope, int& alive) {
  Tracker tracker(alive);
  auto value = co_await completion.wait(scope);
  if (!value) co_return fail(value.error());
  co_return Result<void>();
}

}  // namespace

TEST_CASE("children that complete at once do not grow the stack") {
  Group group;
  int total = 0;
  auto outer = [](int& out) -> Task<Result<void>> {
    MCPT_CO_TRY(out, co_await sum(1'000'000));
    co_return Result<void>();
  };
  group.spawn(outer(total));
  CHECK(total == 1'000'000);
  CHECK(group.size() == 0);
}

TEST_CASE("a completion resumes its waiter, before or after the wait begins") {
  Scope scope;
  for (bool early : {true, false}) {
    Completion<int> completion;
    Result<int> out = 0;
    Group group;
    if (early) completion.resolve(41);
    group.spawn(store(completion, scope, out));
    if (!early) {
      CHECK(group.size() == 1);
      completion.resolve(41);
    }
    CHECK(group.size() == 0);
    REQUIRE(out);
    CHECK(*out == 42);
  }
}

TEST_CASE("cancelling a scope ends the waits inside, with its reason, children included") {
  Completion<int> completion;
  Result<int> out = 0;
  Scope parent;
  Scope child(parent);
  Group group;
  group.spawn(store(completion, child, out));
  parent.cancel(Error(Status::timeout, "too slow"));
  REQUIRE_FALSE(out);
  CHECK(out.error().status == Status::timeout);
  completion.resolve(1);  // late answers are dropped
  CHECK(group.size() == 0);
}

TEST_CASE("what is cancelled may destroy the scope it was cancelled through") {
  struct Owner {
    Scope scope;
    Completion<int> first, second;
  };
  auto owner = std::make_unique<Owner>();
  Group group;
  auto ends_owner = [](std::unique_ptr<Owner>& owned) -> Task<Result<void>> {
    auto value = co_await owned->first.wait(owned->scope);
    owned.reset();
    co_return Result<void>();
  };
  Result<int> other = 0;
  group.spawn(store(owner->second, owner->scope, other));
  group.spawn(ends_owner(owner));
  owner->scope.cancel(Error(Status::cancelled, "bye"));
  CHECK(owner == nullptr);
}

TEST_CASE("destroying a group destroys the frames it owns") {
  int alive = 0;
  Completion<int> completion;
  Scope outside;  // not the group's: its end does not resume the task
  {
    Group group;
    group.spawn(holds(completion, outside, alive));
    CHECK(alive == 1);
  }
  CHECK(alive == 0);
  completion.resolve(1);
}

TEST_CASE("a completion callback may destroy the group, with what else runs in it") {
  auto group = std::make_unique<Group>();
  Completion<int> first, second;
  Scope outside;
  int alive = 0;
  group->spawn(holds(first, outside, alive), [&](Result<void>) { group.reset(); });
  group->spawn(holds(second, outside, alive));
  CHECK(alive == 2);
  first.resolve(1);
  CHECK(group == nullptr);
  CHECK(alive == 0);
}

TEST_CASE("the completion callback gets the result") {
  Group group;
  Completion<int> completion;
  int alive = 0;
  Status status = Status::ok;
  group.spawn(holds(completion, group.scope(), alive),
              [&](Result<void> result) { status = result ? Status::pending : result.error().status; });
  group.cancel(Error(Status::cancelled, "bye"));
  CHECK(status == Status::cancelled);
}

TEST_CASE("frames are taken again by those of their size, and none is lost to sizes that are not kept") {
  for (const size_t size : {size_t{1}, size_t{128}, size_t{129}, size_t{8192}, size_t{8193}, size_t{100'000}}) {
    std::vector<void*> all;
    for (int i = 0; i < 200; ++i) {
      all.push_back(Frames::take(size));
      REQUIRE(all.back());
      std::memset(all.back(), i, size);
    }
    for (int i = 0; i < 200; ++i)
      CHECK(static_cast<unsigned char*>(all[static_cast<size_t>(i)])[size - 1] == i);
    for (void* one : all)
      Frames::give(one, size);
  }
  // On another thread, which ends.
  std::thread([] {
    void* one = Frames::take(500);
    Frames::give(one, 500);
    Frames::give(Frames::take(500), 500);
  }).join();
}
