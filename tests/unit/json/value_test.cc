#include "json/value.h"

#include <doctest/doctest.h>

#include "unit/json/random_document.h"

using namespace mcptoken;
using json::Type;
using json::Value;

TEST_CASE("typed getters never guess") {
  const auto value = json::parse(
      R"({"t":true,"i":-9223372036854775808,"big":9223372036854775808,"f":1.0,"e":1e2,"z":-0,"s":"5","n":null,"a":[1],"o":{}})");
  REQUIRE(value);
  CHECK(value->find("t")->as_bool() == true);
  CHECK(value->find("i")->as_int() == INT64_MIN);
  CHECK(value->find("z")->as_int() == 0);
  for (const char* key : {"t", "big", "f", "e", "s", "n", "a", "o"}) {
    CAPTURE(key);
    CHECK_FALSE(value->find(key)->as_int());
  }
  CHECK(*value->find("big")->number_text() == "9223372036854775808");
  CHECK(*value->find("s")->as_string() == "5");
  CHECK(value->find("i")->as_string() == nullptr);
  CHECK(value->find("s")->number_text() == nullptr);
  CHECK_FALSE(value->find("n")->as_bool());
  CHECK(value->find("n")->is(Type::null));
  CHECK(value->find("a")->items().size() == 1);
  CHECK(value->find("o")->members().empty());
  CHECK(value->find("missing") == nullptr);
  CHECK(value->text("s") == "5");
  CHECK(value->text("i", "fallback") == "fallback");
  CHECK(value->text("missing") == "");
  CHECK(Value().find("x") == nullptr);
}

TEST_CASE("objects keep the order of their members") {
  Value object = Value::object();
  object.set("b", Value::integer(1));
  object.set("a", Value::integer(2));
  object.set("b", Value::boolean(false)).is(Type::boolean);
  CHECK(json::to_text(object) == R"({"b":false,"a":2})");
  CHECK(object.erase("b"));
  CHECK_FALSE(object.erase("b"));
  CHECK(json::to_text(object) == R"({"a":2})");
}

TEST_CASE("equality looks at members by name and at numbers by text") {
  auto equal = [](const char* a, const char* b) { return *json::parse(a) == *json::parse(b); };
  CHECK(equal(R"({"a":1,"b":[{}]})", R"({"b":[{}],"a":1})"));
  CHECK(equal(R"({"a":{"x":1,"y":2}})", R"({"\u0061":{"y":2,"x":1}})"));
  CHECK_FALSE(equal(R"({"a":1})", R"({"a":2})"));
  CHECK_FALSE(equal(R"({"a":1})", R"({"b":1})"));
  CHECK_FALSE(equal(R"({"a":1})", R"({"a":1,"b":1})"));
  CHECK_FALSE(equal("[1,2]", "[2,1]"));
  CHECK_FALSE(equal("1.0", "1"));
  CHECK_FALSE(equal("\"1\"", "1"));
  CHECK_FALSE(equal("{}", "[]"));
  CHECK_FALSE(equal("true", "false"));
  CHECK_FALSE(equal("null", "false"));
}

TEST_CASE("compact and pretty text") {
  const auto value = json::parse(R"( { "a" : [ 1 , { } , [ ] , "\u0001\"" ] , "b" : { "c" : null } } )");
  REQUIRE(value);
  CHECK(json::to_text(*value) == R"({"a":[1,{},[],"\u0001\""],"b":{"c":null}})");
  CHECK(json::to_pretty_text(*value) == R"({
  "a": [
    1,
    {},
    [],
    "\u0001\""
  ],
  "b": {
    "c": null
  }
})");
  CHECK(json::to_pretty_text(*json::parse("[1]"), 0) == "[\n1\n]");
  CHECK(json::to_pretty_text(*json::parse("7")) == "7");
}

TEST_CASE("parse has the reader's rules but takes escaped keys") {
  CHECK(json::to_text(*json::parse(R"({"\u0061\n":1})")) == R"({"a\n":1})");
  for (const char* text : {"", "[1,]", R"({"a":1,"\u0061":2})", R"("\ud800")", "1e12345", "{}{}"}) {
    CAPTURE(text);
    CHECK_FALSE(json::parse(text));
  }
  json::ReadLimits limits;
  limits.depth = 1;
  CHECK_FALSE(json::parse("[[]]", limits));
}

TEST_CASE("random documents survive the round trip, and outlines agree with trees") {
  const uint32_t seed = 71'001;
  MESSAGE("seed ", seed);
  random_document::Maker random(seed);
  for (int round = 0; round < 2'000; ++round) {
    const Value value = random.value(5);
    const std::string text = json::to_text(value);
    CAPTURE(text);
    const auto again = json::parse(text);
    REQUIRE(again);
    REQUIRE(*again == value);
    REQUIRE(json::to_text(*again) == text);
    const std::string pretty = json::to_pretty_text(value, static_cast<int>(random.below(4)));
    REQUIRE(json::parse(pretty).value() == value);

    const auto outline = json::Outline::read(pretty, 0);
    REQUIRE(outline);
    CHECK(outline->root().type == value.type());
  }
}

namespace {

// Every recorded range, read on its own, is the value at that place of the tree.
void check_node(const json::Outline& outline, const json::Node& node, const Value& value) {
  REQUIRE(node.type == value.type());
  REQUIRE(json::parse(outline.raw(node)).value() == value);
  if (const std::string* text = value.as_string()) REQUIRE(outline.string(node) == *text);
  if (!outline.is_recorded(node)) return;
  size_t count = 0;
  for (auto* child = outline.first(node); child != nullptr; child = outline.after(node, *child), ++count) {
    REQUIRE(child->depth == node.depth + 1);
    if (value.is(Type::array)) {
      check_node(outline, *child, value.items().at(count));
    } else {
      REQUIRE(outline.key(*child) == value.members().at(count).first);
      REQUIRE(outline.find(node, outline.key(*child)) == child);
      check_node(outline, *child, value.members().at(count).second);
    }
  }
  REQUIRE(count == value.items().size() + value.members().size());
}

}  // namespace

TEST_CASE("outline ranges of random documents read as the values of the tree") {
  const uint32_t seed = 71'002;
  MESSAGE("seed ", seed);
  random_document::Maker random(seed);
  size_t recorded = 0;
  for (int round = 0; round < 2'000; ++round) {
    const Value value = random.value(4);
    const std::string text = round % 2 == 0 ? json::to_text(value) : json::to_pretty_text(value);
    CAPTURE(text);
    for (size_t depth : {0, 1, 2, 9}) {
      const auto outline = json::Outline::read(text, depth);
      if (!outline) {
        REQUIRE(outline.error().message.find("escapes") != std::string::npos);
        continue;
      }
      check_node(*outline, outline->root(), value);
      ++recorded;
    }
  }
  CHECK(recorded > 2'000);
}
