#include "cache/lru.h"

#include <doctest/doctest.h>

#include <string>

using mcptoken::cache::Lru;

TEST_CASE("what was used longest ago goes first") {
  Lru<std::string, int> lru(3);
  lru.put("a", 1);
  lru.put("b", 2);
  lru.put("c", 3);
  REQUIRE(lru.find("a"));
  lru.put("d", 4);
  CHECK(lru.size() == 3);
  CHECK_FALSE(lru.find("b"));
  CHECK(*lru.find("a") == 1);
  CHECK(*lru.find("d") == 4);
}

TEST_CASE("a second value replaces the first, and counts once") {
  Lru<std::string, int> lru(2);
  lru.put("a", 1);
  lru.put("a", 2);
  lru.put("b", 3);
  CHECK(lru.size() == 2);
  CHECK(*lru.find("a") == 2);
}

TEST_CASE("erase and erase_if forget") {
  Lru<std::string, int> lru(8);
  for (int i = 0; i < 8; ++i)
    lru.put(std::to_string(i), i);
  CHECK(lru.erase("0"));
  CHECK_FALSE(lru.erase("0"));
  lru.erase_if([](const std::string&, int value) { return value % 2 == 0; });
  CHECK(lru.size() == 4);
  CHECK_FALSE(lru.find("2"));
  CHECK(*lru.find("7") == 7);
}
