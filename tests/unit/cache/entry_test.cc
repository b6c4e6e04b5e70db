#include "cache/entry.h"

#include <doctest/doctest.h>

#include <random>

namespace mcptoken::cache {
namespace {

Entry sample() {
  Entry entry;
  entry.project = "p1";
  entry.what = "content";
  entry.created_ms = 1'700'000'000'000;
  entry.expires_ms = 1'700'000'060'000;
  entry.value = std::string("a value\0with anything in it\xff", 28);
  return entry;
}

TEST_CASE("what was encoded is decoded") {
  const Key key = key_of({"k"});
  const auto entry = decode(key, encode(key, sample()));
  REQUIRE(entry);
  CHECK(entry->project == "p1");
  CHECK(entry->what == "content");
  CHECK(entry->created_ms == 1'700'000'000'000);
  CHECK(entry->expires_ms == 1'700'000'060'000);
  CHECK(entry->value == sample().value);
}

TEST_CASE("a file under another key is nothing") {
  CHECK_FALSE(decode(key_of({"b"}), encode(key_of({"a"}), sample())));
}

TEST_CASE("parts of a key do not run into one another") {
  CHECK(key_of({"ab", "c"}) != key_of({"a", "bc"}));
  CHECK(key_of({"a", ""}) != key_of({"a"}));
  CHECK(key_of({"", "a"}) != key_of({"a", ""}));
}

TEST_CASE("every truncation, every extension and every flipped bit is a miss") {
  const Key key = key_of({"k"});
  const std::string file = encode(key, sample());
  for (size_t size = 0; size < file.size(); ++size)
    CHECK_FALSE(decode(key, std::string_view(file).substr(0, size)));
  CHECK_FALSE(decode(key, file + "x"));
  for (size_t bit = 0; bit < file.size() * 8; ++bit) {
    std::string changed = file;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    CHECK_FALSE(decode(key, changed));
  }
}

TEST_CASE("the head alone tells what it is") {
  const std::string file = encode(key_of({"k"}), sample());
  const auto head = decode_head(std::string_view(file).substr(0, file.size() - 40));
  REQUIRE(head);
  CHECK(head->what == "content");
  CHECK_FALSE(decode_head("something else"));
}

TEST_CASE("random bytes are a miss") {
  std::mt19937 engine(7);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(engine() % 300, 'x');
    for (char& c : bytes)
      c = static_cast<char>(engine());
    if (round % 2) bytes = encode(key_of({"k"}), sample()).substr(0, 60) + bytes;
    CHECK_FALSE(decode(key_of({"k"}), bytes));
  }
}

}  // namespace
}  // namespace mcptoken::cache
