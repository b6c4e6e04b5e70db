#include "loop/busy_poll.h"

#include <doctest/doctest.h>

using mcptoken::loop::BusyPoll;

namespace {

constexpr int64_t kBound = 100'000, kShort = 20'000, kLong = 5'000'000;

BusyPoll bounded() {
  BusyPoll poll;
  poll.set_bound_us(kBound / 1000);
  return poll;
}

// One wait as the loop makes it; true: it looked.
bool wait(BusyPoll& poll, int64_t ns) {
  const bool looks = poll.worthwhile();
  if (looks) poll.looked(ns, false);
  else poll.slept(ns);
  return looks;
}

int looks_in(BusyPoll& poll, int waits, int64_t ns) {
  int looks = 0;
  for (int i = 0; i < waits; ++i) looks += wait(poll, ns);
  return looks;
}

}  // namespace

TEST_CASE("without a bound nobody looks") {
  BusyPoll poll;
  CHECK(looks_in(poll, 100, kShort) == 0);
}

TEST_CASE("one short wait begins it, and it goes on while waits are short") {
  auto poll = bounded();
  CHECK_FALSE(poll.worthwhile());
  CHECK(looks_in(poll, 100, kShort) == 99);
}

TEST_CASE("who has slept is forgiven what waking takes, who has looked is not") {
  auto poll = bounded();
  CHECK_FALSE(wait(poll, 2 * kBound));
  CHECK(wait(poll, kBound + 1));
  CHECK_FALSE(poll.worthwhile());
  auto other = bounded();
  CHECK_FALSE(wait(other, 2 * kBound + 1));
  CHECK_FALSE(other.worthwhile());
}

TEST_CASE("long waits alone never look") {
  auto poll = bounded();
  CHECK(looks_in(poll, 1000, kLong) == 0);
}

TEST_CASE("a client that comes back at once to a server that takes its time does not keep the loop awake") {
  auto poll = bounded();
  int looks = 0;
  for (int i = 0; i < 1000; ++i) looks += wait(poll, kLong) + wait(poll, kShort);
  CHECK(looks <= 2);
}

TEST_CASE("each try in vain makes the next one rarer, and success makes up for it") {
  auto poll = bounded();
  int tries = 0;
  for (int i = 0; i < 6400; ++i) {
    tries += wait(poll, poll.worthwhile() ? kLong : kShort);  // the worst luck there can be
  }
  CHECK(tries <= 110);
  CHECK(tries >= 90);
  looks_in(poll, BusyPoll::kMostProof + 10, kShort);
  CHECK(poll.worthwhile());
  wait(poll, kLong);
  CHECK_FALSE(poll.worthwhile());
  CHECK_FALSE(wait(poll, kShort));
  CHECK_FALSE(wait(poll, kShort));
  CHECK(poll.worthwhile());
}

TEST_CASE("who is preempted while looking has looked in vain") {
  auto poll = bounded();
  int tries = 0;
  for (int i = 0; i < 6400; ++i) {
    if (poll.worthwhile()) ++tries, poll.looked(kShort, true);
    else poll.slept(kShort);
  }
  CHECK(tries <= 110);
  CHECK(tries >= 90);
}
