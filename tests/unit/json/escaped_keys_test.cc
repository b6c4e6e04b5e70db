// Names of members that are spelt with escapes, where a reader lets them be.
#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

#include "json/edit.h"
#include "json/outline.h"

using namespace mcptoken;
using json::Outline;
using json::ReadLimits;

TEST_CASE("outline: where escapes may be, a member's name is what its spelling stands for") {
  ReadLimits limits;
  limits.escaped_keys = true;
  const std::string text =
      R"({"a\"b":1,"params":{"caf\u00e9":[],"plain":{"deep\/er":{"\u0070arams":2}},"\u0061":3},"\ud83d\ude00":{"x":4},"":5})";
  CHECK_FALSE(Outline::read(text, 1));
  auto outline = Outline::read(text, 3, limits);
  REQUIRE(outline);
  const auto moved = *std::move(outline);
  const auto raw_of = [&](const json::Node& object, std::string_view key) {
    const auto* node = moved.find(object, key);
    return node ? std::string(moved.raw(*node)) : std::string("-");
  };
  CHECK(raw_of(moved.root(), "a\"b") == "1");
  CHECK(raw_of(moved.root(), "\xF0\x9F\x98\x80") == R"({"x":4})");
  CHECK(raw_of(moved.root(), "") == "5");
  for (const char* key : {R"(a\"b)", R"(\ud83d\ude00)", "caf\xC3\xA9", "a", "deep/er", "x"}) CHECK(raw_of(moved.root(), key) == "-");
  const auto& params = *moved.find("params");
  CHECK(raw_of(params, "caf\xC3\xA9") == "[]");
  CHECK(raw_of(params, "a") == "3");
  CHECK(raw_of(params, "deep/er") == "-");
  CHECK(raw_of(*moved.find(params, "plain"), "deep/er") == R"({"\u0070arams":2})");

  std::vector<std::string> keys, spellings;
  for (auto* node = moved.first(params); node; node = moved.after(params, *node)) {
    keys.emplace_back(moved.key(*node));
    spellings.emplace_back(moved.spelling(*node));
  }
  CHECK(keys == std::vector<std::string>{"caf\xC3\xA9", "plain", "a"});
  CHECK(spellings == std::vector<std::string>{R"(caf\u00e9)", "plain", R"(\u0061)"});
}

TEST_CASE("outline: no spelling hides one member behind another") {
  ReadLimits limits;
  limits.escaped_keys = true;
  ReadLimits lenient = limits;
  lenient.lenient = true;
  const char* equal[] = {R"({"params":1,"\u0070arams":2})", R"({"\u0070arams":1,"params":2})", R"({"\u0061":1,"\u0061":2})",
                         R"({"a\/b":1,"a/b":2})",           R"({"x":{"\n":1,"\u000a":2}})",   R"({"x":[{"\u00e9":1,"é":2}]})"};
  for (std::string_view text : equal) {
    CAPTURE(text);
    CHECK_FALSE(Outline::read(text, 3, limits));
    CHECK_FALSE(Outline::read(text, 3, lenient));
  }
  // A member is set and removed by what it is called; the rest keeps its bytes.
  const std::string text = R"({"\u0069d":7, "\u0078":[1], "y\/z":2})";
  auto outline = Outline::read(text, 1, lenient);
  REQUIRE(outline);
  json::Edits edits(*outline);
  edits.set(outline->root(), "id", "8");
  edits.set(outline->root(), "w", "0");
  edits.remove(outline->root(), *outline->find("x"));
  CHECK(json::apply(text, outline->root().value, edits.sorted()) == R"({"\u0069d":8, "y\/z":2,"w":0})");
}

TEST_CASE("outline: many names with escapes take no longer to find") {
  ReadLimits limits;
  limits.escaped_keys = limits.lenient = true;
  limits.bytes = 64 << 20;
  std::string text = "[";
  for (int i = 0; i < 200'000; ++i) text += R"({"\u0061":1,"\u0062":2},)";
  text += "0]";
  auto outline = Outline::read(text, 2, limits);
  REQUIRE(outline);
  const auto begin = std::chrono::steady_clock::now();
  size_t found = 0;
  for (auto* one = outline->first(outline->root()); one; one = outline->after(outline->root(), *one)) {
    found += outline->find(*one, "b") != nullptr;
    found += outline->find(*one, "c") != nullptr;
  }
  CHECK(found == 200'000);
  CHECK(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() < 5);
}
