#include "json/edit.h"

#include <doctest/doctest.h>

#include <functional>

#include "json/writer.h"
#include "unit/json/random_document.h"

using namespace mcptoken;
using json::Edit;
using json::Edits;
using json::Outline;
using json::Value;

namespace {

Outline outline_of(std::string_view text) {
  auto outline = Outline::read(text, 9);
  REQUIRE(outline);
  return *std::move(outline);
}

std::string edited(std::string_view text, const std::function<void(const Outline&, Edits&)>& change) {
  const Outline outline = outline_of(text);
  Edits edits(outline);
  change(outline, edits);
  return json::apply(text, {0, static_cast<uint32_t>(text.size())}, edits.sorted());
}

// Removes the given members of the root.
std::string without(std::string_view text, const std::vector<std::string_view>& keys) {
  return edited(text, [&](const Outline& outline, Edits& edits) {
    for (std::string_view key : keys) {
      edits.remove(outline.root(), *outline.find(key));
    }
  });
}

}  // namespace

TEST_CASE("set replaces a member or adds it at the end") {
  auto set = [](std::string_view text, std::vector<std::pair<std::string_view, std::string_view>> members) {
    return edited(text, [&](const Outline& outline, Edits& edits) {
      for (const auto& [key, value] : members) {
        edits.set(outline.root(), key, value);
      }
    });
  };
  CHECK(set("{}", {{"a", "1"}}) == R"({"a":1})");
  CHECK(set("{}", {{"a", "1"}, {"b", "2"}}) == R"({"a":1,"b":2})");
  CHECK(set(" { } ", {{"a", "1"}}) == R"( {"a":1 } )");
  CHECK(set(R"({"a":1})", {{"a", "2"}}) == R"({"a":2})");
  CHECK(set(R"({"a" : 1 })", {{"b", "2"}}) == R"({"a" : 1,"b":2 })");
  CHECK(set(R"({"a":1,"b":[]})", {{"b", "{}"}, {"c", "3"}, {"d", "4"}}) == R"({"a":1,"b":{},"c":3,"d":4})");
  CHECK(set(R"({"a":1})", {{"a", "2"}, {"a", "3"}}) == R"({"a":3})");
  CHECK(set("{}", {{"a", "2"}, {"b", "0"}, {"a", "3"}}) == R"({"a":3,"b":0})");
  CHECK(set("{}", {{"\"\n", "1"}}) == R"({"\"\n":1})");
}

TEST_CASE("remove takes one comma") {
  const std::string_view text = R"({ "a" : 1 , "b" : 2 , "c" : 3 , "d" : 4 })";
  CHECK(without(text, {"a"}) == R"({ "b" : 2 , "c" : 3 , "d" : 4 })");
  CHECK(without(text, {"b"}) == R"({ "a" : 1 , "c" : 3 , "d" : 4 })");
  CHECK(without(text, {"d"}) == R"({ "a" : 1 , "b" : 2 , "c" : 3 })");
  CHECK(without(text, {"a", "b"}) == R"({ "c" : 3 , "d" : 4 })");
  CHECK(without(text, {"b", "a"}) == R"({ "c" : 3 , "d" : 4 })");
  CHECK(without(text, {"b", "c"}) == R"({ "a" : 1 , "d" : 4 })");
  CHECK(without(text, {"c", "d"}) == R"({ "a" : 1 , "b" : 2 })");
  CHECK(without(text, {"a", "c"}) == R"({ "b" : 2 , "d" : 4 })");
  CHECK(without(text, {"a", "d"}) == R"({ "b" : 2 , "c" : 3 })");
  CHECK(without(text, {"a", "b", "c", "d"}) == "{  }");
  CHECK(without(text, {"b", "b"}) == R"({ "a" : 1 , "c" : 3 , "d" : 4 })");
  CHECK(without(R"({"a":1})", {"a"}) == "{}");
}

TEST_CASE("elements are removed alike") {
  const std::string_view text = "[10,[20],{}]";
  auto without_elements = [&](std::vector<size_t> indexes) {
    return edited(text, [&](const Outline& outline, Edits& edits) {
      for (size_t index : indexes) {
        const json::Node* node = outline.first(outline.root());
        for (size_t i = 0; i < index; ++i) {
          node = outline.after(outline.root(), *node);
        }
        edits.replace(*node, "void");
        edits.remove(outline.root(), *node);
      }
    });
  };
  CHECK(without_elements({0}) == "[[20],{}]");
  CHECK(without_elements({1}) == "[10,{}]");
  CHECK(without_elements({2}) == "[10,[20]]");
  CHECK(without_elements({0, 1}) == "[{}]");
  CHECK(without_elements({2, 0, 1}) == "[]");
}

TEST_CASE("removal, addition and replacement meet in one object") {
  CHECK(edited(R"({"a":1,"b":2})", [](const Outline& o, Edits& e) {
          e.remove(o.root(), *o.find("a"));
          e.remove(o.root(), *o.find("b"));
          e.set(o.root(), "c", "3");
          e.set(o.root(), "d", "4");
        }) == R"({"c":3,"d":4})");
  CHECK(edited(R"({"a":1,"b":2})", [](const Outline& o, Edits& e) {
          e.set(o.root(), "c", "3");
          e.remove(o.root(), *o.find("b"));
          e.set(o.root(), "a", "9");
        }) == R"({"a":9,"c":3})");
  CHECK(edited(R"({"a":1})", [](const Outline& o, Edits& e) {
          e.remove(o.root(), *o.find("a"));
          e.set(o.root(), "a", "2");  // the later call wins
        }) == R"({"a":2})");
  CHECK(edited(R"({"a":1,"b":0})", [](const Outline& o, Edits& e) {
          e.set(o.root(), "a", "2");
          e.remove(o.root(), *o.find("a"));
        }) == R"({"b":0})");
}

TEST_CASE("nested objects are edited together") {
  const std::string_view text = R"({"id":1,"params":{"name":"p","meta":{"x":1}}})";
  CHECK(edited(text, [](const Outline& o, Edits& e) {
          const json::Node& params = *o.find("params");
          const json::Node& meta = *o.find(params, "meta");
          e.set(o.root(), "extra", "0");
          e.set(meta, "y", "2");
          e.set(params, "z", "3");
          e.remove(meta, *o.find(meta, "x"));
          e.replace(*o.find("id"), "\"n\"");
          e.set(params, "name", "\"q\"");
        }) == R"({"id":"n","params":{"name":"q","meta":{"y":2},"z":3},"extra":0})");
  // What is done inside a replaced or removed value is void.
  CHECK(edited(text, [](const Outline& o, Edits& e) {
          const json::Node& params = *o.find("params");
          e.set(params, "name", "1");
          e.set(params, "new", "2");
          e.replace(params, "[]");
          e.set(*o.find(params, "meta"), "y", "2");
        }) == R"({"id":1,"params":[]})");
  CHECK(edited(text, [](const Outline& o, Edits& e) {
          const json::Node& params = *o.find("params");
          e.set(params, "name", "1");
          e.remove(o.root(), params);
          e.set(params, "new", "2");
        }) == R"({"id":1})");
  CHECK(edited(text, [](const Outline& o, Edits& e) { e.replace(o.root(), "7"), e.set(o.root(), "a", "1"); }) == "7");
}

TEST_CASE("a window produces a part of the text and passes over edits outside of it") {
  const std::string_view text = R"({"id":1,"params":{"name":"p"}})";
  const Outline outline = outline_of(text);
  const json::Node& params = *outline.find("params");
  Edits edits(outline);
  edits.set(outline.root(), "id", "22");
  edits.set(outline.root(), "more", "{}");  // inserted exactly where params ends
  edits.set(params, "name", "\"other\"");
  edits.set(params, "x", "0");
  const auto sorted = edits.sorted();
  CHECK(json::apply(text, params.value, sorted) == R"({"name":"other","x":0})");
  CHECK(json::apply(text, outline.find("id")->value, sorted) == "22");
  CHECK(json::apply(text, outline.root().value, sorted) == R"({"id":22,"params":{"name":"other","x":0},"more":{}})");
  CHECK(json::apply(text, params.value, {}) == R"({"name":"p"})");

  std::vector<std::string_view> pieces = {"kept"};
  json::append_pieces(pieces, text, params.value, sorted);
  REQUIRE(pieces.size() == 5);
  CHECK(pieces[0] == "kept");
  CHECK(pieces[1].data() == text.data() + params.value.begin);  // borrowed
}

TEST_CASE("plain edits") {
  const std::string_view text = "abcdef";
  const std::vector<Edit> edits = {Edit({0, 0}, "<"), Edit({1, 2}, ""), Edit({2, 2}, "+"), Edit({4, 5}, "long one"),
                                   Edit({6, 6}, ">")};
  CHECK(json::apply(text, {0, 6}, edits) == "<a+cdlong onef>");
  CHECK(json::apply(text, {2, 4}, edits) == "+cd");
  CHECK(json::apply(text, {3, 3}, edits) == "");
}

namespace {

// Applies random changes to the text and to the tree.
void change_at_random(random_document::Maker& random, const Outline& outline, const json::Node& node, Value& value,
                      Edits& edits) {
  const std::vector<std::string> keys = {"k1", "k2", "k3", "k4", "added", "é\n"};
  std::vector<const json::Node*> children;
  for (auto* child = outline.first(node); child; child = outline.after(node, *child)) {
    children.push_back(child);
  }
  for (size_t i = children.size(); i-- > 0;) {
    const json::Node& child = *children[i];
    Value& child_value = value.is(json::Type::array) ? value.items()[i] : value.members()[i].second;
    switch (random.below(5)) {
      case 0:
        edits.remove(node, child);
        if (value.is(json::Type::array))
          value.items().erase(value.items().begin() + static_cast<std::ptrdiff_t>(i));
        else
          value.members().erase(value.members().begin() + static_cast<std::ptrdiff_t>(i));
        break;
      case 1:
        child_value = random.value(2);
        edits.replace(child, json::to_text(child_value));
        break;
      default:
        change_at_random(random, outline, child, child_value, edits);
    }
  }
  for (size_t n = node.type == json::Type::object ? random.below(3) : 0; n > 0; --n) {
    const std::string& key = random.one_of(keys);
    const Value added = random.value(1);
    edits.set(node, key, json::to_text(added));
    value.set(key, added);
  }
}

}  // namespace

TEST_CASE("random edits of random documents give the tree edited likewise") {
  const uint32_t seed = 71'003;
  MESSAGE("seed ", seed);
  random_document::Maker random(seed, random_document::Keys::plain);
  size_t edits_made = 0;
  for (int round = 0; round < 3'000; ++round) {
    Value value = random.object(4, random.below(6));
    const std::string text = round % 2 == 0 ? json::to_text(value) : json::to_pretty_text(value);
    const auto outline = Outline::read(text, 9);
    REQUIRE(outline);
    Edits edits(*outline);
    change_at_random(random, *outline, outline->root(), value, edits);
    const auto sorted = edits.sorted();
    edits_made += sorted.size();
    const std::string result = json::apply(text, outline->root().value, sorted);
    CAPTURE(text);
    CAPTURE(result);
    const auto read = json::parse(result);
    REQUIRE(read);
    REQUIRE(*read == value);
  }
  CHECK(edits_made > 3'000);
}
