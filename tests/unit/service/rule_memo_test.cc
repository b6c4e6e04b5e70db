#include "service/rule_memo.h"

#include <doctest/doctest.h>

using namespace mcptoken;
using namespace mcptoken::service;

namespace {

constexpr auto kSha = "ab00000000000000000000000000000000000000000000000000000000000000";

std::shared_ptr<const rbac::Policy> policy(const std::vector<std::string>& texts) {
  auto bindings = rbac::parse_bindings(texts);
  REQUIRE(bindings);
  std::vector<rbac::Definition> definitions;
  definitions.push_back({"d", "mcptoken-d", {{rbac::SubjectKind::mcp_token, kSha}}, *bindings});
  return std::make_shared<const rbac::Policy>(std::move(definitions), std::vector<rbac::Group>(), rbac::Ceiling::mint,
                                              rbac::ToolGrant::view);
}

std::shared_ptr<const rbac::Principal> token() {
  auto who = std::make_shared<rbac::Principal>();
  who->kind = rbac::PrincipalKind::token;
  who->token_sha = kSha;
  return who;
}

}  // namespace

TEST_CASE("rules: the deciding binding of a call is found once while the policy stays") {
  RuleMemo memo;
  const auto who = token();
  const auto first = policy({"role:run,resource:tools,name:s/re*", "role:view,resource:servers,name:t"});
  for (int i = 0; i < 1'000; ++i) {
    CHECK(memo.of(first, who, "s", "read") == "mcptoken-d: role:run,resource:tools,name:s/re*");
    CHECK(memo.of(first, who, "t", "any") == "mcptoken-d: role:view,resource:servers,name:t");
    CHECK(memo.of(first, who, "t", "resources/read file:///x") == "mcptoken-d: role:view,resource:servers,name:t");
    CHECK(memo.of(first, who, "s", "write").empty());
  }
  CHECK(memo.decided() == 4);
  const auto second = policy({"role:run,resource:tools"});
  CHECK(memo.of(second, who, "s", "read") == "mcptoken-d: role:run,resource:tools");
  CHECK(memo.of(second, who, "s", "write") == "mcptoken-d: role:run,resource:tools");
  CHECK(memo.decided() == 6);
  // Another principal has another answer, and no end of names fills the memory.
  CHECK(memo.of(second, std::make_shared<const rbac::Principal>(), "s", "read").empty());
  for (int i = 0; i < 10'000; ++i)
    memo.of(second, who, "s", std::to_string(i));
  CHECK(memo.of(second, who, "s", "read") == "mcptoken-d: role:run,resource:tools");
}
