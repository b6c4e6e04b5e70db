#include "json/outline.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

using namespace mcptoken;
using json::Outline;
using json::ReadLimits;
using json::Type;

namespace {

std::string repeat(std::string_view piece, size_t times) {
  std::string text;
  for (size_t i = 0; i < times; ++i) {
    text += piece;
  }
  return text;
}

// "" when accepted, the message otherwise.
std::string refusal(std::string_view text, size_t record_depth = 3) {
  // A block of exactly this size, so that a sanitizer sees the first byte read beyond it.
  const std::vector<char> exact(text.begin(), text.end());
  const auto outline = Outline::read({exact.data(), exact.size()}, record_depth);
  return outline ? "" : outline.error().message;
}

Status status_of(std::string_view text) {
  const auto type = json::validate(text);
  return type ? Status::ok : type.error().status;
}

std::string object_of(size_t members, std::string_view prefix = "k") {
  std::string text = "{";
  for (size_t i = 0; i < members; ++i) {
    text += (i == 0 ? "\"" : ",\"") + std::string(prefix) + std::to_string(i) + "\":0";
  }
  return text + "}";
}

double seconds_to_validate(std::string_view text, const ReadLimits& limits, bool accepted) {
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    CHECK(json::validate(text, limits).has_value() == accepted);
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return best;
}

const std::string kNul(1, '\0');

}  // namespace

TEST_CASE("nodes in document order, with the ranges of keys and raw values") {
  const std::string text = R"( {"a":1, "b" : [true,{"c":null}], "d":{}, "":"x\ny"} )";
  const auto outline = Outline::read(text, 2);
  REQUIRE(outline);
  CHECK(outline->root().type == Type::object);
  CHECK(outline->raw(outline->root()) == text.substr(1, text.size() - 2));
  CHECK(outline->root().depth == 0);

  const auto* b = outline->find("b");
  REQUIRE(b != nullptr);
  CHECK(b->type == Type::array);
  CHECK(b->depth == 1);
  CHECK(outline->key(*b) == "b");
  CHECK(outline->raw(*b) == R"([true,{"c":null}])");

  const auto* element = outline->first(*b);
  REQUIRE(element != nullptr);
  CHECK(element->type == Type::boolean);
  CHECK(outline->raw(*element) == "true");
  CHECK(element->key.size() == 0);
  element = outline->after(*b, *element);
  REQUIRE(element != nullptr);
  CHECK(outline->raw(*element) == R"({"c":null})");
  CHECK(outline->after(*b, *element) == nullptr);
  CHECK(outline->first(*element) == nullptr);  // at the edge
  CHECK_FALSE(outline->is_recorded(*element));
  CHECK(outline->find(*element, "c") == nullptr);
  CHECK(outline->find(*b, "") == nullptr);  // not an object

  const auto* d = outline->find("d");
  REQUIRE(d != nullptr);
  CHECK(outline->first(*d) == nullptr);
  const auto* last = outline->after(outline->root(), *d);
  REQUIRE(last != nullptr);
  CHECK(last == outline->find(""));
  CHECK(outline->after(outline->root(), *last) == nullptr);
  CHECK(outline->raw(*last) == R"("x\ny")");
  CHECK(outline->find("c") == nullptr);
  CHECK(outline->find("A") == nullptr);
}

TEST_CASE("strings are borrowed when plain and unescaped otherwise") {
  const auto outline =
      Outline::read(R"(["plain é","\"\\\/\b\f\n\r\t","\u0041\u00e9\u20AC\uD834\uDd1e\u0000",7,""])", 1);
  REQUIRE(outline);
  std::vector<const json::Node*> nodes;
  for (auto* n = outline->first(outline->root()); n; n = outline->after(outline->root(), *n)) {
    nodes.push_back(n);
  }
  REQUIRE(nodes.size() == 5);
  std::string_view plain;
  CHECK(outline->plain_string(*nodes[0], plain));
  CHECK(plain == "plain é");
  CHECK(outline->string(*nodes[0]) == "plain é");
  CHECK_FALSE(outline->plain_string(*nodes[1], plain));
  CHECK(outline->string(*nodes[1]) == "\"\\/\b\f\n\r\t");
  CHECK(outline->string(*nodes[2]) == "Aé€𝄞" + kNul);
  CHECK_FALSE(outline->plain_string(*nodes[3], plain));
  CHECK(outline->string(*nodes[3]).empty());
  CHECK(outline->plain_string(*nodes[4], plain));
  CHECK(plain.empty());
}

TEST_CASE("many escapes in a nested string disturb neither the nesting nor the judgement") {
  for (size_t escapes : {900, 1000, 1100, 5'000}) {
    const std::string text = R"({"a":[{"b":[")" + repeat("\\n", escapes) + R"(",1]},2],"c":3})";
    const auto outline = Outline::read(text, 2);
    REQUIRE(outline);
    CHECK(outline->raw(*outline->find("c")) == "3");
    CHECK(refusal(R"({"a":[{"b":["\udc00)" + repeat("\\n", escapes) + R"("]}]})") ==
          "JSON: a lone surrogate at byte 13");
    CHECK(refusal(text + "}") != "");
  }
}

TEST_CASE("a copy or a moved outline answers the same") {
  const std::string text = R"({"\u0061":{"b":1}})";
  ReadLimits limits;
  limits.escaped_keys = true;
  auto first = Outline::read(text, 2, limits);
  REQUIRE(first);
  const Outline copy = *first;
  const Outline moved = *std::move(first);
  for (const Outline* outline : {&copy, &moved}) {
    const auto* a = outline->find("a");
    REQUIRE(a != nullptr);
    CHECK(outline->raw(*outline->find(*a, "b")) == "1");
  }
}

TEST_CASE("messages name the rule and the byte") {
  struct Row {
    std::string text;
    std::string message;
  };
  const Row rows[] = {
      {"", "JSON: no value at byte 0"},
      {" \n", "JSON: no value at byte 2"},
      {"{}x", "JSON: something follows the value at byte 2"},
      {"1 2", "JSON: something follows the value at byte 2"},
      {"{} " + kNul, "JSON: a NUL byte at byte 3"},
      {kNul, "JSON: no value at byte 0"},
      {"[1" + kNul + "]", "JSON: a comma or closing bracket is missing at byte 2"},
      {"\xEF\xBB\xBF{}", "JSON: a byte order mark at byte 0"},
      {"{1}", "JSON: a member name is missing at byte 1"},
      {R"({"a":1,})", "JSON: a member name is missing at byte 7"},
      {R"({"a" 1})", "JSON: a colon is missing at byte 5"},
      {R"({"a":1 "b":2})", "JSON: a comma or closing brace is missing at byte 7"},
      {"[1 2]", "JSON: a comma or closing bracket is missing at byte 3"},
      {"[1,]", "JSON: not a value at byte 3"},
      {"[tru]", "JSON: not a value at byte 4"},
      {"[NaN]", "JSON: a malformed number at byte 1"},
      {"[-]", "JSON: a malformed number at byte 2"},
      {"[1.]", "JSON: a malformed number at byte 3"},
      {"[1e+]", "JSON: a malformed number at byte 4"},
      {"[01]", "JSON: a comma or closing bracket is missing at byte 2"},
      {R"(["a)", "JSON: a string without its end at byte 3"},
      {R"(["\x"])", "JSON: an unknown escape at byte 2"},
      {R"(["\u12g4"])", "JSON: an escape without four hexadecimal digits at byte 2"},
      {"[\"ab\n\"]", "JSON: a raw control character in a string at byte 4"},
      {"[\"ab" + kNul + "\"]", "JSON: a raw control character in a string at byte 4"},
      {"[\"é\xC3\"]", "JSON: invalid UTF-8 at byte 4"},
      {"[\"\\t\xED\xA0\x80\"]", "JSON: invalid UTF-8 at byte 4"},
      {R"(["\ud834\ud834"])", "JSON: a lone surrogate at byte 2"},
      {R"(["\ud834"])", "JSON: a lone surrogate at byte 2"},
      {R"(["\n\uD834\udd1e \\ud800 \uDC00"])", "JSON: a lone surrogate at byte 25"},
      {R"({"\udfff":1})", "JSON: a lone surrogate at byte 2"},
      {R"({"a":1,"b":2,"a":3})", "JSON: duplicate key at byte 13"},
      {R"({"n\u0061me":1})", "JSON: a key spelt with escapes where it is judged at byte 1"},
      {R"({"name\u0000":1})", "JSON: a key spelt with escapes where it is judged at byte 1"},
      {"[1e12345]", "JSON: the digits of an exponent exceed 4 at byte 1"},
      {"[" + repeat("1", 33) + "]", "JSON: the characters of a number exceed 32 at byte 1"},
      {repeat("[", 65), "JSON: the nesting exceeds a depth of 64 at byte 64"},
      {"{\"" + repeat("k", 1025) + "\":1}", "JSON: the bytes of a key exceed 1024 at byte 1"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(refusal(row.text) == row.message);
  }
}

TEST_CASE("the number that crashes RapidJSON 1.1.0 is refused") {
  const std::string number = "0." + repeat("0", 30) + "1e-2147483639";
  CHECK(number.size() + 2 == 47);
  CHECK(refusal("[" + number + "]") == "JSON: the digits of an exponent exceed 4 at byte 1");
  CHECK(status_of(number) == Status::too_large);
}

TEST_CASE("limits hold exactly") {
  auto at = [](size_t n, auto make) { return status_of(make(n)); };
  auto check = [&](size_t limit, auto make) {
    CHECK(at(limit - 1, make) == Status::ok);
    CHECK(at(limit, make) == Status::ok);
    CHECK(at(limit + 1, make) == Status::too_large);
  };
  SUBCASE("depth") {
    check(64, [](size_t n) { return repeat("[", n) + repeat("]", n); });
    check(64, [](size_t n) { return repeat("{\"a\":", n) + "1" + repeat("}", n); });
    check(64, [](size_t n) { return "[" + repeat("[", n - 1) + repeat("]", n - 1) + ",[]]"; });
  }
  SUBCASE("number text") {
    check(32, [](size_t n) { return repeat("9", n); });
    check(32, [](size_t n) { return "-0." + repeat("1", n - 3); });
    check(32, [](size_t n) { return "0." + repeat("1", n - 5) + "e10"; });
  }
  SUBCASE("exponent digits") {
    check(4, [](size_t n) { return "1e" + repeat("9", n); });
    check(4, [](size_t n) { return "1E-" + repeat("0", n); });
  }
  SUBCASE("key bytes") {
    check(1024, [](size_t n) { return "{\"" + repeat("k", n) + "\":1}"; });
    check(1024, [](size_t n) { return "{\"" + repeat("\\n", n) + "\":1}"; });  // counted unescaped
  }
  SUBCASE("members") {
    check(10'000, [](size_t n) { return object_of(n); });
    check(10'000, [](size_t n) { return "[" + object_of(n) + "," + object_of(n) + "]"; });
  }
  SUBCASE("elements have none") { CHECK(status_of("[" + repeat("0,", 100'000) + "0]") == Status::ok); }
  SUBCASE("bytes") {
    check(4 * 1024 * 1024, [](size_t n) { return "\"" + repeat("x", n - 2) + "\""; });
  }
  SUBCASE("given ones") {
    ReadLimits limits;
    limits.bytes = 20;
    limits.depth = 2;
    limits.members = 2;
    CHECK(json::validate(R"({"a":[],"b":{}     })", limits));
    CHECK_FALSE(json::validate(R"({"a":[],"b":{}      })", limits));
    CHECK_FALSE(json::validate("[[[]]]", limits));
    CHECK_FALSE(json::validate(R"({"a":0,"b":0,"c":0})", limits));
    limits.depth = 1000;  // no more than the library's own
    limits.bytes = 1000;
    CHECK_FALSE(json::validate(repeat("[", 65) + repeat("]", 65), limits));
  }
}

TEST_CASE("duplicate keys are found at every level and after unescaping") {
  for (std::string_view text :
       {R"({"a":1,"a":1})", R"({"":1,"":2})", R"([{"x":{"k":1,"j":2,"k":3}}])", R"({"a":{"b":[0,{"é":1,"\u00e9":2}]}})",
        R"([[[[{"\u006b":1,"k":2}]]]])", R"([[[[{"k":1,"\u006b":2}]]]])", R"([[[[{"a\u0000":1,"a\u0000":2}]]]])",
        R"({"a":{"x":1},"b":{"x":1},"a":0})"}) {
    CAPTURE(text);
    CHECK(refusal(text).find("duplicate key") != std::string::npos);
    CHECK_FALSE(json::validate(text));
  }
  for (std::string_view text : {R"({"a":{"a":{"a":1}}})", R"([{"a":1},{"a":1}])", R"({"a":1,"A":1,"aa":1,"":1})",
                                R"([[[[{"a\u0000":1,"a":2}]]]])", R"({"abcdefgh_ijklmnop":1,"abcdefgh.ijklmnop":2})"}) {
    CAPTURE(text);
    CHECK(refusal(text) == "");
  }
}

TEST_CASE("duplicates are found in objects of every size and at every place") {
  for (size_t size : {2, 15, 16, 17, 18, 64, 65, 300}) {
    for (size_t first : {size_t{0}, (size - 1) / 2, size - 2}) {
      for (const std::string prefix : {"k", "a prefix shared by all of them "}) {
        std::string text = object_of(size, prefix);
        CHECK(refusal(text) == "");
        const std::string last = prefix + std::to_string(size - 1);
        const size_t at = text.rfind("\"" + last + "\"");
        text.replace(at, last.size() + 2, "\"" + prefix + std::to_string(first) + "\"");
        CAPTURE(text);
        CHECK(refusal(text) == "JSON: duplicate key at byte " + std::to_string(at));
      }
    }
  }
}

TEST_CASE("keys beyond the recorded depth may be spelt with escapes") {
  CHECK(refusal(R"({"a":{"\u0062":1}})", 1) == "");
  CHECK(refusal(R"({"a":{"\u0062":1}})", 2) != "");
  CHECK(refusal(R"([{"\u0062":1}])", 1) == "");
  CHECK(refusal(R"({"\u0062":1})", 0) == "");
  CHECK(refusal(R"({"a":"\u0062"})", 9) == "");
  CHECK(json::validate(R"({"\u0062":1})"));
}

TEST_CASE("depth is refused early and in constant space") {
  const std::string open = repeat("[", 2 * 1024 * 1024);
  CHECK(refusal(open) == "JSON: the nesting exceeds a depth of 64 at byte 64");
  CHECK(refusal(repeat("{\"a\":", 1'000'000 / 2)).find("depth") != std::string::npos);
  const std::string nested = repeat("[", 1'000'000) + repeat("]", 1'000'000);
  CHECK(seconds_to_validate(nested, {}, false) < 0.05);
}

TEST_CASE("large objects and strings cost linear time") {
  ReadLimits wide;
  wide.members = SIZE_MAX;
  wide.bytes = SIZE_MAX;
  CHECK(seconds_to_validate(object_of(1'000'000), {}, false) < 0.5);  // refused at the 10,001st

  // Keys that agree in length, first and last bytes cost no more than a factor over those that do not.
  std::string flood = "{";
  std::string spread = "{";
  for (size_t i = 0; i < 200'000; ++i) {
    const std::string number = std::to_string(1'000'000 + i);
    flood += (i ? ",\"" : "\"") + ("aaaaaaaa" + number) + "zzzzzzzz\":0";
    spread += (i ? ",\"" : "\"") + (number + "zzzzzzzzaaaaaaaa" + number).substr(0, 23) + "\":0";
  }
  const double ratio = seconds_to_validate(flood + "}", wide, true) / seconds_to_validate(spread + "}", wide, true);
  MESSAGE("flood against spread: ", ratio);
  CHECK(ratio < 20);

  CHECK(status_of("{\"" + repeat("k", 1024 * 1024) + "\":1}") == Status::too_large);
  CHECK(seconds_to_validate("\"" + repeat("x", 4 * 1024 * 1024 - 2) + "\"", {}, true) < 0.5);
  CHECK(seconds_to_validate("\"" + repeat("\\n", 2 * 1024 * 1024 - 1) + "\"", {}, true) < 1);
  CHECK(seconds_to_validate("\"" + repeat("€", 1'000'000) + "\"", {}, true) < 1);
}

TEST_CASE("every position of a special byte in a run is noticed") {
  for (size_t length : {1, 15, 16, 17, 31, 32, 33, 50}) {
    for (size_t at = 0; at < length; ++at) {
      std::string inside = repeat("x", length);
      CHECK(refusal("\"" + inside + "\"") == "");
      for (char c : {'\x01', '\x1f', '\0', '\x80', '\xff', '"'}) {
        inside[at] = c;
        CHECK(refusal("\"" + inside + "\"") != "");
      }
    }
  }
}

TEST_CASE("outline: a lenient reading takes what is JSON, below what it records") {
  ReadLimits lenient;
  lenient.lenient = lenient.escaped_keys = true;
  lenient.depth = json::kLenientDepth;
  const std::string digits(100, '7');
  const std::string deep(200, '['), shut(200, ']');
  const std::string odd[] = {digits,          "1e12345",          R"("\ud800")", R"("\udc00 \ud83d\ude00 \uD83D")",
                             deep + shut,     R"({"a":1,"a":2})", R"([{"\ud800":{"x":1,"x":2}}])"};
  for (auto& value : odd) {
    const std::string text = R"({"v":)" + value + "}";
    CAPTURE(text);
    CHECK_FALSE(Outline::read(text, 1));
    auto outline = Outline::read(text, 1, lenient);
    REQUIRE(outline);
    CHECK(outline->raw(*outline->find("v")) == value);
  }
  auto half = Outline::read(R"({"v":"a\ud800b\ud83d\ude00"})", 1, lenient);
  REQUIRE(half);
  CHECK(half->string(*half->find("v")) == "a\xEF\xBF\xBD" "b\xF0\x9F\x98\x80");

  // What is recorded is judged as ever, and what is no JSON is none.
  const std::string too_deep(json::kLenientDepth + 1, '[');
  for (const std::string& text : {std::string(R"({"v":1,"v":2})"), std::string(R"({"v":1,"\u0076":2})"), std::string(R"({"v":01})"),
                                 std::string(R"({"v":"\ud80"})"), std::string(R"({"v":"\x"})"), std::string("{\"v\":\"\x01\"}"),
                                 std::string("{\"v\":\"\\n\xff\"}"), std::string("{\"v\":\"\\n"), std::string(R"({"v":"\)"),
                                 std::string(R"({"v":1} 2)"), "{\"v\":" + too_deep}) {
    CAPTURE(text);
    CHECK_FALSE(Outline::read(text, 1, lenient));
  }
}
