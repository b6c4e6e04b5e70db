#include "loop/stage.h"

#include <doctest/doctest.h>
#include <poll.h>

#include <optional>
#include <string>

using namespace mcptoken;
using namespace mcptoken::loop;

namespace {

// Says how far it has come, at each of two stages.
Task<Result<void>> passes(Loop& loop, std::string name, std::string& told) {
  told += name + "1 ";
  Stage first(loop);
  co_await first;
  told += name + "2 ";
  Stage second(loop);
  co_await second;
  told += name + "3 ";
  co_return Result<void>();
}

void spawn(Group& group, Loop& loop, const std::string& name, std::string& told) {
  auto task = passes(loop, name, told);
  group.spawn(std::move(task));
}

}  // namespace

TEST_CASE("tasks of one turn pass stage by stage, in the order in which they came, and within the turn") {
  auto loop = std::move(Loop::create()).value();
  Group group;
  std::string told;
  for (const char* name : {"a", "b", "c"}) {
    loop->post([&, name] { spawn(group, *loop, name, told); });
  }
  loop->run_once();
  CHECK(told == "a1 b1 c1 a2 b2 c2 a3 b3 c3 ");
  CHECK(group.size() == 0);
  CHECK(loop->timeout_ms() != 0);
}

TEST_CASE("what this turn was to do at its end does not come before those who wait, nor wait for the next one") {
  auto loop = std::move(Loop::create()).value();
  Group group;
  std::string told;
  loop->post([&] {
    spawn(group, *loop, "a", told);
    loop->defer([&] { told += "end "; });
  });
  loop->run_once();
  CHECK(told == "a1 a2 a3 end ");
}

TEST_CASE("who comes when no turn is under way wakes the host, and goes on in the next one") {
  auto loop = std::move(Loop::create()).value();
  loop->run_once();
  Group group;
  std::string told;
  for (int round = 0; round < 2; ++round) {
    spawn(group, *loop, "a", told);
    CHECK(group.size() == 1);
    CHECK(loop->timeout_ms() == 0);
    pollfd waiting{loop->fd(), POLLIN, 0};
    CHECK(poll(&waiting, 1, 1000) == 1);
    for (int turn = 0; turn < 3 && group.size() > 0; ++turn) loop->run_once();
    CHECK(group.size() == 0);
  }
  CHECK(told == "a1 a2 a3 a1 a2 a3 ");
}

TEST_CASE("who is destroyed while waiting is forgotten, be it by another who waited") {
  auto loop = std::move(Loop::create()).value();
  Group group;
  std::optional<Group> others(std::in_place);
  std::string told;
  auto ends = [](Loop& there, std::optional<Group>& whose) -> Task<Result<void>> {
    Stage stage(there);
    co_await stage;
    whose.reset();
    co_return Result<void>();
  };
  loop->post([&] {
    spawn(group, *loop, "a", told);
    auto task = ends(*loop, others);
    group.spawn(std::move(task));
    spawn(*others, *loop, "b", told);
    spawn(group, *loop, "c", told);
  });
  loop->run_once();
  CHECK(told == "a1 b1 c1 a2 c2 a3 c3 ");
}

TEST_CASE("who begins again each time he goes on does not keep the loop to himself") {
  auto loop = std::move(Loop::create()).value();
  Group group;
  size_t rounds = 0;
  auto endless = [](Loop& there, size_t& count) -> Task<Result<void>> {
    for (;; ++count) {
      Stage stage(there);
      co_await stage;
    }
  };
  loop->post([&] {
    auto task = endless(*loop, rounds);
    group.spawn(std::move(task));
  });
  for (int turn = 0; turn < 3; ++turn) {
    const size_t before = rounds;
    loop->run_once();
    CHECK(rounds > before);
    CHECK(rounds < before + 100'000);
    CHECK(loop->timeout_ms() == 0);
  }
}

TEST_CASE("a stage that goes on before its turn does so once") {
  auto loop = std::move(Loop::create()).value();
  Group group;
  int passed = 0;
  Stage* waiting = nullptr;
  auto one = [](Loop& there, Stage*& where, int& count) -> Task<Result<void>> {
    Stage stage(there);
    where = &stage;
    co_await stage;
    ++count;
    Stage second(there);
    co_await second;
    ++count;
    co_return Result<void>();
  };
  auto task = one(*loop, waiting, passed);
  group.spawn(std::move(task));
  waiting->go_on();
  CHECK(passed == 1);
  waiting->go_on();
  CHECK(passed == 1);
  for (int turn = 0; turn < 3; ++turn) loop->run_once();
  CHECK(passed == 2);
}

TEST_CASE("a loop may go before those who wait") {
  std::string told;
  Group group;
  {
    auto loop = std::move(Loop::create()).value();
    spawn(group, *loop, "a", told);
  }
  CHECK(told == "a1 ");
}
