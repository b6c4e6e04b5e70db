#include "pattern/pattern.h"

#include <doctest/doctest.h>

using mcptoken::pattern::Pattern;

namespace {

std::string replaced(const char* pattern, std::string text, const char* with = "#") {
  auto compiled = Pattern::compile(pattern);
  REQUIRE(compiled);
  compiled->replace_all(text, with);
  return text;
}

}  // namespace

TEST_CASE("every match is replaced by these very characters") {
  CHECK(replaced("a+", "caat a b") == "c#t # b");
  CHECK(replaced("(a)(b)", "xabx", "\\1$1&") == "x\\1$1&x");
  CHECK(replaced("nothing", "text") == "text");
  CHECK(replaced("text", "text") == "#");
  CHECK(replaced("a", "aaa", "") == "");
  CHECK(replaced("^a", "a\na") == "#\na");
  CHECK(replaced("(?m)^a", "a\na") == "#\n#");
}

TEST_CASE("an empty match is none, and characters stay whole") {
  CHECK(replaced("x*", "äxö") == "ä#ö");
  CHECK(replaced("", "äö") == "äö");
  CHECK(replaced(".", "ä🙂") == "##");
  CHECK(replaced("\\b", "a b") == "a b");
}

TEST_CASE("what is no pattern, or is too large, is refused with a reason") {
  CHECK(Pattern::compile("(").error().message.starts_with("is not a regular expression: "));
  CHECK_FALSE(Pattern::compile("(?=lookahead)"));
  CHECK_FALSE(Pattern::compile("((a{1,1000}){1,1000}){1,1000}"));
}

TEST_CASE("time is linear where backtracking would never end") {
  CHECK(replaced("(a+)+$", std::string(100'000, 'a') + "b") == std::string(100'000, 'a') + "b");
}
