#include "control/selector.h"

#include <doctest/doctest.h>

using namespace mcptoken;
using namespace mcptoken::control;

namespace {

bool admits(std::string_view text, std::string_view labels) {
  auto selector = Selector::parse(text);
  REQUIRE_MESSAGE(selector.has_value(), text);
  const auto object = json::parse(labels.empty() ? "{}" : R"({"labels":)" + std::string(labels) + "}");
  REQUIRE(object.has_value());
  return selector->admits(*object);
}

}  // namespace

TEST_CASE("every operator of a label selector") {
  struct Case {
    std::string_view text;
    bool prod, dev, none;  // {"env":"prod"}, {"env":"dev"}, no labels
  };
  constexpr Case cases[] = {
      {"env=prod", true, false, false},
      {"env==prod", true, false, false},
      {"env!=prod", false, true, true},
      {"env in (prod, test)", true, false, false},
      {"env in (prod,dev)", true, true, false},
      {"env notin (prod)", false, true, true},
      {"env", true, true, false},
      {"!env", false, false, true},
      {"env, env != dev", true, false, false},
      {" env = prod ", true, false, false},
      {"env=prod,env=dev", false, false, false},
      {"env=", false, false, false},
      {"other!=x", true, true, true},
      {"env in (prod),!other", true, false, false},
  };
  for (const auto& one : cases) {
    CAPTURE(one.text);
    CHECK(admits(one.text, R"({"env":"prod"})") == one.prod);
    CHECK(admits(one.text, R"({"env":"dev"})") == one.dev);
    CHECK(admits(one.text, "") == one.none);
  }
}

TEST_CASE("a malformed label selector is refused with its position") {
  for (auto text : {"", ",", "env=prod,", "env in", "env in (", "env in (a", "env in a)", "=x", "env=a b", "env ~ x",
                    "!", "!env=x", "env=\xc3\xa4", "env prod"}) {
    CAPTURE(text);
    const auto selector = Selector::parse(text);
    REQUIRE(!selector.has_value());
    CHECK(selector.error().status == Status::invalid);
    CHECK(selector.error().message.starts_with("query: labelSelector: column "));
  }
}
