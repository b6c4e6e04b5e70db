#include "json/fold.h"

#include <doctest/doctest.h>

#include <string>

using mcptoken::json::folds_to;

TEST_CASE("variants of a protocol member are recognised, the member itself is not") {
  using namespace std::string_view_literals;
  for (std::string_view key : {"Method"sv, "METHOD"sv, "mEthod"sv, "method\0"sv, "METHOD\0\0"sv}) {
    CHECK(folds_to(key, "method"));
  }
  CHECK(folds_to("param\u017F", "params"));
  CHECK(folds_to("PARAM\u017F", "params"));
  CHECK(folds_to("ta\u017Fk", "task"));
  CHECK(folds_to("tas\u212A", "task"));
  CHECK(folds_to("\u017F", "s"));
  CHECK(folds_to("progresstoken", "progressToken"));
  CHECK(folds_to("_META", "_meta"));
  for (std::string_view key :
       {"method"sv, "metho"sv, "methods"sv, "\0method"sv, "met\0hod"sv, ""sv, "\0"sv, "m\u00e9thod"sv, "method "sv}) {
    CHECK_FALSE(folds_to(key, "method"));
  }
  CHECK_FALSE(folds_to("{", "["));  // bytes that differ in the same bit as letters do
  CHECK_FALSE(folds_to("@", "`"));
  CHECK_FALSE(folds_to("tas\u2129", "task"));
  CHECK_FALSE(folds_to("tas\xC5", "task"));
  CHECK_FALSE(folds_to("", ""));
  CHECK(folds_to("\0"sv, ""));
}
