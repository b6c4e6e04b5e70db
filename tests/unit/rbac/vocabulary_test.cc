#include "rbac/vocabulary.h"

#include <doctest/doctest.h>

#include <set>

using namespace mcptoken;
using namespace mcptoken::rbac;

namespace {

struct Aliases {
  Resource resource;
  std::vector<std::string_view> texts;  // the canonical one first
};
const Aliases kAliases[] = {
    {Resource::any, {"*"}},
    {Resource::servers, {"servers", "server", "srv"}},
    {Resource::instances, {"instances", "instance", "inst"}},
    {Resource::secrets, {"secrets", "secret", "sec"}},
    {Resource::projects, {"projects", "project", "proj"}},
    {Resource::templates, {"templates", "template", "tmpl"}},
    {Resource::users, {"users", "user"}},
    {Resource::groups, {"groups", "group"}},
    {Resource::rbac, {"rbac", "rbacs", "rbac-definition"}},
    {Resource::prompts, {"prompts", "prompt"}},
    {Resource::promptrequests, {"promptrequests", "promptrequest", "pr"}},
    {Resource::mcptokens, {"mcptokens", "mcptoken", "token", "tokens"}},
    {Resource::proxymodels, {"proxymodels", "proxymodel", "pm"}},
    {Resource::tools, {"tools", "tool"}},
    {Resource::audit, {"audit"}},
};

}  // namespace

TEST_CASE("CE-31 every alias of every resource is the same binding, with every role") {
  std::set<std::string_view> texts;
  for (const Aliases& row : kAliases) {
    CHECK(to_text(row.resource) == row.texts.front());
    for (std::string_view text : row.texts) {
      CHECK(texts.insert(text).second);
      CHECK(resource_of(text) == row.resource);
      for (std::string_view role : {"view", "create", "delete", "edit", "expose", "run"}) {
        auto by_alias = parse_binding("role:" + std::string(role) + ",resource:" + std::string(text));
        REQUIRE(by_alias);
        CHECK(by_alias->resource == row.resource);
        CHECK(to_text(by_alias->role) == role);
        CHECK(to_text(*by_alias) == "role:" + std::string(role) + ",resource:" + std::string(row.texts.front()));
      }
    }
  }
  CHECK(texts.size() == 38);
}

TEST_CASE("CE-32 CE-33 CE-34 spellings are exact") {
  for (std::string_view text : {"", "Servers", "SERVERS", "servers ", " servers", "\tservers", "servers\n", "serverss",
                                "s", "**", "\xc2\xa0servers", "servers\xe2\x80\x8b",
                                "\xef\xbd\x93"
                                "ervers",
                                "\xc5\xbf"
                                "ervers",
                                "all"}) {
    CAPTURE(text);
    CHECK_FALSE(resource_of(text));
  }
  CHECK_FALSE(resource_of(std::string_view("servers\0", 8)));
  for (std::string_view text : {"", "View", "EDIT", "view ", "read", "*", "delete_",
                                "\xd0\xb5"
                                "dit"})
    CHECK_FALSE(role_of(text));
  for (std::string_view text : {"", "Logs", "log", "audit_export", "*", "view"})
    CHECK_FALSE(operation_of(text));
  for (std::string_view text : {"", "user", "USER", "McpTokens", "mcptoken"})
    CHECK_FALSE(subject_kind_of(text));
}

TEST_CASE("every word reads back") {
  for (int i = 0; i <= static_cast<int>(Role::run); ++i)
    CHECK(role_of(to_text(static_cast<Role>(i))) == static_cast<Role>(i));
  for (int i = 0; i <= static_cast<int>(Action::run); ++i) {
    CHECK(action_of(to_text(static_cast<Action>(i))) == static_cast<Action>(i));
  }
  for (int i = 0; i <= static_cast<int>(Operation::escalate); ++i) {
    CHECK(operation_of(to_text(static_cast<Operation>(i))) == static_cast<Operation>(i));
  }
  for (std::string_view text :
       {"logs", "backup", "restore", "impersonate", "audit-export", "audit-purge", "set-own-password", "escalate"}) {
    CHECK(operation_of(text));
  }
  for (std::string_view text : {"User", "Group", "ServiceAccount", "McpToken"})
    CHECK(to_text(*subject_kind_of(text)) == text);
}

TEST_CASE("what the roles grant, CE-72: edit grants expose and never run") {
  struct Row {
    Role role;
    std::string actions;  // view create edit delete expose run
  };
  for (const Row& row : {Row{Role::view, "x....."}, Row{Role::create, ".x...."}, Row{Role::delete_, "...x.."},
                         Row{Role::edit, "xxxxx."}, Row{Role::expose, "x...x."}, Row{Role::run, ".....x"}}) {
    CAPTURE(to_text(row.role));
    for (size_t i = 0; i < 6; ++i)
      CHECK(grants(row.role, static_cast<Action>(i)) == (row.actions[i] == 'x'));
  }
  for (const Aliases& row : kAliases) {
    bool owned = row.resource == Resource::prompts || row.resource == Resource::promptrequests ||
                 row.resource == Resource::mcptokens;
    CHECK(project_owned(row.resource) == owned);
  }
}
