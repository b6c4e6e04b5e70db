#include "base/function.h"

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <string>

using namespace mcptoken;

namespace {

// Counts how many of it are alive.
struct Counted {
  explicit Counted(int& count_in) : count(&count_in) { ++*count; }
  Counted(const Counted& other) : count(other.count) { ++*count; }
  Counted(Counted&& other) noexcept : count(other.count) { ++*count; }
  ~Counted() { --*count; }
  int* count;
};

}  // namespace

TEST_CASE("what is called is moved along, small or large, and destroyed once") {
  int alive = 0;
  {
    Function<int(int)> small = [one = Counted(alive)](int x) { return x + *one.count; };
    Function<int(int)> large = [one = Counted(alive), room = std::array<char, 100>()](int x) { return x + *one.count + room[0]; };
    CHECK(small(10) == 12);
    CHECK(large(20) == 22);
    Function<int(int)> other = std::move(small);
    CHECK_FALSE(small);
    CHECK(other(10) == 12);
    other = std::move(large);  // what it held goes
    CHECK(alive == 1);
    CHECK(other(20) == 21);
    other = std::move(other);
    CHECK(other(20) == 21);
    Function<int(int)> empty = nullptr;
    CHECK_FALSE(empty);
    other = std::move(empty);
    CHECK_FALSE(other);
    CHECK(alive == 0);
  }
  CHECK(alive == 0);
}

TEST_CASE("arguments and results that cannot be copied go through") {
  Function<std::unique_ptr<int>(std::unique_ptr<int>)> doubled = [](std::unique_ptr<int> n) {
    *n *= 2;
    return n;
  };
  CHECK(*doubled(std::make_unique<int>(21)) == 42);
  Function<void(std::string&)> append = [text = std::string(40, 'x')](std::string& out) { out += text; };
  std::string out;
  append(out);
  CHECK(out.size() == 40);
}

TEST_CASE("a call may replace the function that it belongs to") {
  Function<int()> self;
  int result = 0;
  self = [&self, &result, text = std::string(40, 'y')] {
    self = [&result] { return result = 2; };
    return 1;
  };
  Function<int()> running = std::move(self);
  CHECK(running() == 1);
  CHECK(self() == 2);
}
