#include "gateway/breaker.h"

#include <doctest/doctest.h>

using namespace mcptoken::gateway;
using Verdict = Breaker::Verdict;

namespace {

Breaker make(int64_t shortest_ms = 500) {
  return Breaker(shortest_ms, [](int64_t) { return int64_t{0}; });
}

void open(Breaker& breaker, int64_t now_ms) {
  CHECK_FALSE(breaker.failed(now_ms));
  CHECK_FALSE(breaker.failed(now_ms));
  CHECK(breaker.failed(now_ms));
  CHECK(breaker.state() == Circuit::open);
}

}  // namespace

TEST_CASE("breaker: three failures in a row open the circuit, an answer between them does not let it") {
  auto breaker = make();
  for (int i = 0; i < 10; ++i) {
    CHECK_FALSE(breaker.failed(0));
    CHECK_FALSE(breaker.failed(0));
    breaker.succeeded();
    CHECK(breaker.ask(0) == Verdict::go);
    CHECK(breaker.state() == Circuit::closed);
  }
  open(breaker, 0);
  CHECK(breaker.ask(499) == Verdict::wait);
}

TEST_CASE("breaker: after the pause one call is tried, whose outcome decides") {
  auto breaker = make();
  open(breaker, 0);
  CHECK(breaker.ask(500) == Verdict::trial);
  CHECK(breaker.state() == Circuit::half_open);
  for (int i = 0; i < 10'000; ++i) CHECK(breaker.ask(500) == Verdict::wait);
  CHECK(breaker.failed(600));
  CHECK(breaker.ask(1'599) == Verdict::wait);  // twice as long
  CHECK(breaker.ask(1'600) == Verdict::trial);
  breaker.given_up();
  CHECK(breaker.ask(1'600) == Verdict::trial);  // a trial that was given up says nothing: the next one
  breaker.succeeded();
  CHECK(breaker.state() == Circuit::closed);
  CHECK(breaker.ask(1'600) == Verdict::go);
  open(breaker, 2'000);
  CHECK(breaker.ask(2'500) == Verdict::trial);  // and pauses begin anew
}

TEST_CASE("breaker: a trial that takes long keeps the others waiting for a while only") {
  auto breaker = make();
  open(breaker, 0);
  CHECK(breaker.ask(500) == Verdict::trial);
  CHECK(breaker.ask(2'499) == Verdict::wait);
  CHECK(breaker.ask(2'500) == Verdict::trial);
  CHECK(breaker.ask(2'500) == Verdict::wait);
  CHECK(breaker.failed(2'600));        // one of them
  CHECK_FALSE(breaker.failed(2'700));  // the other prolongs nothing
  CHECK(breaker.retry_at_ms() == 3'600);
  CHECK(breaker.ask(3'600) == Verdict::trial);
  CHECK(breaker.ask(5'600) == Verdict::trial);
  breaker.succeeded();
  CHECK(breaker.ask(5'600) == Verdict::go);
}

TEST_CASE("breaker: calls that fail behind an open circuit prolong nothing, pauses have an end") {
  auto breaker = make();
  open(breaker, 0);
  CHECK_FALSE(breaker.failed(499));
  CHECK(breaker.ask(500) == Verdict::trial);
  int64_t now = 500;
  for (int i = 0; i < 20; ++i) {
    CHECK(breaker.failed(now));
    CHECK(breaker.retry_at_ms() - now <= 30'000);
    now = breaker.retry_at_ms();
    CHECK(breaker.ask(now) == Verdict::trial);
  }
}

TEST_CASE("breaker: at most two trials a second, whatever happens (GW-73)") {
  auto breaker = make();
  int trials = 0, opened = 0;
  for (int64_t now = 0; now < 10'000; ++now) {
    for (int i = 0; i < 10; ++i) {
      if (breaker.ask(now) == Verdict::wait) continue;
      ++trials;
      if (now / 1'000 % 2 == 0) breaker.succeeded();  // up for a second, down for a second
      else opened += breaker.failed(now) ? 1 : 0;
    }
  }
  CHECK(opened >= 5);
  CHECK(opened <= 20);
}
