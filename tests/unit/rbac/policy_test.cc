#include "rbac/policy.h"

#include <doctest/doctest.h>

#include "base/bytes.h"

using namespace mcptoken;
using namespace mcptoken::rbac;

namespace {

const std::string kSha(64, 'a');

std::vector<Binding> bindings(std::initializer_list<std::string> texts) {
  auto all = parse_bindings(std::vector<std::string>(texts));
  REQUIRE(all);
  return *all;
}

Definition definition(std::string name, Subject subject, std::initializer_list<std::string> texts) {
  return {"id-" + name, name, {std::move(subject)}, bindings(texts)};
}

Principal user(std::string id) {
  Principal who;
  who.kind = PrincipalKind::user;
  who.user_id = std::move(id);
  who.user_email = who.user_id + "@example.com";
  return who;
}

Principal token(std::string sha, std::string owner, std::string project = "demo") {
  Principal who = user(std::move(owner));
  who.kind = PrincipalKind::token;
  who.token_sha = std::move(sha);
  who.project = std::move(project);
  return who;
}

Query query(Action action, Resource resource, std::string name = {}) { return {action, resource, std::move(name), {}}; }
Query operation(Operation what) { return {Action::run, Resource::any, {}, what}; }

const Query kViewS = query(Action::view, Resource::servers, "s");

std::string texts(const std::vector<Binding>& all) {
  std::string out;
  for (const Binding& one : all)
    out += (out.empty() ? "" : "; ") + to_text(one);
  return out;
}

Policy live(std::vector<Definition> definitions, std::vector<Group> groups = {}, ToolGrant grant = ToolGrant::view) {
  return {std::move(definitions), std::move(groups), Ceiling::live, grant};
}

}  // namespace

TEST_CASE("CE-64 nothing is allowed without a binding, and to nobody in particular") {
  Policy empty = live({});
  Policy odd = live({{"1", "no subjects", {}, bindings({"role:edit,resource:*"})},
                     definition("empty user", {SubjectKind::user, ""}, {"role:edit,resource:*", "action:logs"}),
                     definition("empty token", {SubjectKind::mcp_token, ""}, {"role:edit,resource:*"}),
                     definition("empty account", {SubjectKind::service_account, "project:"}, {"role:edit,resource:*"}),
                     definition("empty group", {SubjectKind::group, ""}, {"role:edit,resource:*"})},
                    {{"", "nameless", {"u", ""}}, {"g", "empty member", {""}}});
  Principal account;
  account.kind = PrincipalKind::service_account;
  for (const Policy& policy : {empty, odd}) {
    for (const Principal& who : {Principal(), user(""), user("u"), token("", ""), token(kSha, "u"), account}) {
      CHECK_FALSE(policy.allowed(who, kViewS));
      CHECK_FALSE(policy.allowed(who, operation(Operation::logs)));
      CHECK_FALSE(policy.decide(who, kViewS).allowed);
      CHECK_FALSE(policy.may_use_tool(who, "s", "t"));
      CHECK_FALSE(policy.may_use_any_tool(who, "s"));
      CHECK_FALSE(policy.may_use_server(who, "s"));
      CHECK(policy.permissions(who).empty());
      CHECK_FALSE(policy.scope(who, Action::view, Resource::servers).all);
    }
  }
}

TEST_CASE("the system principal may everything") {
  Principal system;
  system.kind = PrincipalKind::system;
  Policy policy = live({});
  CHECK(policy.allowed(system, query(Action::delete_, Resource::any)));
  CHECK(policy.allowed(system, operation(Operation::escalate)));
  CHECK(policy.decide(system, kViewS).rule == "system");
  CHECK(policy.may_use_tool(system, "s", "t"));
  CHECK(policy.may_use_any_tool(system, "s"));
  CHECK(policy.scope(system, Action::run, Resource::tools).all);
  Policy same({definition("root", {SubjectKind::user, "u"}, {"role:edit,resource:*"})}, {}, Ceiling::live,
              ToolGrant::view);
  std::vector<Binding> wanted = same.permissions(user("u"));
  CHECK(first_uncovered(policy.permissions(system), wanted, ToolGrant::view) == nullptr);
  CHECK(policy.permissions(system).size() == 10);
}

TEST_CASE("CE-37 CE-38 the kind of a subject is a field, and ids are compared byte by byte") {
  std::string all = "role:view,resource:*";
  Policy policy = live(
      {definition("1", {SubjectKind::user, "McpToken:" + kSha}, {all}),
       definition("2", {SubjectKind::group, kSha}, {all}), definition("3", {SubjectKind::user, kSha}, {all}),
       definition("4", {SubjectKind::mcp_token, std::string(64, 'A')}, {all}),
       definition("5", {SubjectKind::mcp_token, kSha.substr(1)}, {all}),
       definition("6", {SubjectKind::mcp_token, "u"}, {all}),
       definition("7", {SubjectKind::service_account, "u"}, {all}),
       definition("8", {SubjectKind::user, "rootless"}, {all}), definition("owner", {SubjectKind::user, "o"}, {all})},
      {{"g", "McpToken:" + kSha, {"v"}}});
  CHECK_FALSE(policy.allowed(token(kSha, "o"), kViewS));
  CHECK_FALSE(policy.allowed(user("u"), kViewS));
  CHECK_FALSE(policy.allowed(user("v"), kViewS));
  CHECK_FALSE(policy.allowed(user("root"), kViewS));
  CHECK(policy.allowed(token(std::string(64, 'A'), "o"), kViewS));
  CHECK(policy.allowed(user(kSha), kViewS));
  Principal account;
  account.kind = PrincipalKind::service_account;
  account.project = "u";
  CHECK_FALSE(policy.allowed(account, kViewS));  // the subject lacks "project:"
}

TEST_CASE("CE-67 service accounts are known by their project and gain nothing for anybody else") {
  Policy policy =
      live({definition("sa", {SubjectKind::service_account, "project:demo"}, {"role:view,resource:servers"})});
  Principal account;
  account.kind = PrincipalKind::service_account;
  account.project = "demo";
  CHECK(policy.allowed(account, kViewS));
  account.project = "dem";
  CHECK_FALSE(policy.allowed(account, kViewS));
  Principal both = user("u");
  both.project = "demo";
  CHECK_FALSE(policy.allowed(both, kViewS));
}

TEST_CASE("CE-68 a token never holds its owner's bindings") {
  std::vector<Definition> definitions = {
      definition("root", {SubjectKind::user, "u"}, {"role:edit,resource:*", "role:run,resource:*", "action:logs"}),
      definition("team", {SubjectKind::group, "g"}, {"role:edit,resource:*"})};
  std::vector<Group> groups = {{"g", "team", {"u"}}};
  for (Ceiling ceiling : {Ceiling::live, Ceiling::mint}) {
    Policy policy(definitions, groups, ceiling, ToolGrant::view);
    Principal who = token(kSha, "u");
    CHECK(policy.allowed(user("u"), kViewS));
    CHECK_FALSE(policy.allowed(who, kViewS));
    CHECK_FALSE(policy.allowed(who, operation(Operation::logs)));
    CHECK_FALSE(policy.may_use_tool(who, "s", "t"));
    CHECK(policy.permissions(who).empty());
    CHECK(policy.decide(who, kViewS).rule == "missing view:servers:s");
  }
}

TEST_CASE("a user principal with a token's digest in it is still a user") {
  Policy policy = live({definition("t", {SubjectKind::mcp_token, kSha}, {"role:view,resource:*"})});
  Principal who = user("u");
  who.token_sha = kSha;
  CHECK_FALSE(policy.allowed(who, kViewS));
}

TEST_CASE("CE-41 CE-42 CE-43 the live ceiling follows the owner; the mint ceiling does not") {
  Definition own = definition("mcptoken-x", {SubjectKind::mcp_token, kSha},
                              {"role:view,resource:servers", "role:view,resource:secrets"});
  Definition team = definition("team", {SubjectKind::group, "g"},
                               {"role:view,resource:servers", "role:view,resource:projects,name:demo"});
  Definition less = definition("team", {SubjectKind::group, "g"}, {"role:view,resource:servers"});
  Principal who = token(kSha, "u");
  struct Row {
    std::vector<Definition> definitions;
    std::vector<Group> groups;
    bool allowed;
    std::string rule;
  };
  for (const Row& row :
       {Row{{own, team}, {{"g", "team", {"u"}}}, true, "mcptoken-x: role:view,resource:servers"},
        {{own, team}, {{"g", "team", {"v"}}}, false, "the token's owner is missing view:projects:demo"},
        {{own, team}, {}, false, "the token's owner is missing view:projects:demo"},
        {{own, less}, {{"g", "team", {"u"}}}, false, "the token's owner is missing view:projects:demo"}}) {
    Policy policy = live(row.definitions, row.groups);
    CHECK(policy.allowed(who, kViewS) == row.allowed);
    CHECK(policy.decide(who, kViewS).allowed == row.allowed);
    CHECK(policy.decide(who, kViewS).rule == row.rule);
    CHECK(policy.may_use_tool(who, "s", "t") == row.allowed);
    CHECK(policy.permissions(who).empty() != row.allowed);
    CHECK(Policy(row.definitions, row.groups, Ceiling::mint, ToolGrant::view).allowed(who, kViewS));
  }
  // Never more than the token's own, never more than the owner's.
  Policy policy = live({own, team}, {{"g", "team", {"u"}}});
  CHECK(policy.decide(who, query(Action::view, Resource::secrets)).rule == "the token's owner is missing view:secrets");
  CHECK(policy.decide(who, query(Action::view, Resource::projects, "demo")).rule == "missing view:projects:demo");
  CHECK(texts(policy.permissions(who)) == "role:view,resource:servers");
  CHECK_FALSE(policy.allowed(token(kSha, ""), kViewS));
  CHECK_FALSE(policy.allowed(token(kSha, "u", ""), kViewS));
  CHECK_FALSE(policy.allowed(token(kSha, "u", "other"), kViewS));
}

TEST_CASE("CE-49 without its definition a token has nothing") {
  Definition root = definition("root", {SubjectKind::user, "u"}, {"role:edit,resource:*"});
  Definition own = definition("mcptoken-x", {SubjectKind::mcp_token, kSha}, {"role:view,resource:servers"});
  CHECK(live({root, own}).allowed(token(kSha, "u"), kViewS));
  CHECK_FALSE(live({root}).allowed(token(kSha, "u"), kViewS));
}

TEST_CASE("CE-72 operations and resource rights never grant each other") {
  Policy policy =
      live({definition("all", {SubjectKind::user, "r"}, {"role:edit,resource:*", "role:run,resource:*"}),
            definition("ops", {SubjectKind::user, "o"}, {"action:logs", "action:backup", "action:escalate"})});
  for (int i = 0; i <= static_cast<int>(Operation::escalate); ++i)
    CHECK_FALSE(policy.allowed(user("r"), operation(static_cast<Operation>(i))));
  for (int action = 0; action <= static_cast<int>(Action::run); ++action) {
    for (int resource = 0; resource <= static_cast<int>(Resource::audit); ++resource) {
      Query asked = query(static_cast<Action>(action), static_cast<Resource>(resource));
      CHECK_FALSE(policy.allowed(user("o"), asked));
      CHECK(policy.allowed(user("r"), asked));
    }
  }
  CHECK(policy.allowed(user("o"), operation(Operation::backup)));
  CHECK_FALSE(policy.allowed(user("o"), operation(Operation::restore)));
  Policy editor = live({definition("e", {SubjectKind::user, "e"}, {"role:edit,resource:*"})});
  CHECK_FALSE(editor.allowed(user("e"), query(Action::run, Resource::servers, "s")));
  CHECK_FALSE(editor.allowed(user("e"), query(Action::run, Resource::secrets, "s")));
  CHECK(editor.allowed(user("e"), query(Action::expose, Resource::servers, "s")));
}

TEST_CASE("scoped bindings do not answer questions about all objects, nor about names that merely begin alike") {
  Policy policy =
      live({definition("d", {SubjectKind::user, "u"},
                       {"role:edit,resource:servers,name:ha", "role:create,resource:mcptokens,name:demo/*"})});
  struct Row {
    Query asked;
    bool allowed;
  };
  for (const Row& row : {Row{query(Action::edit, Resource::servers, "ha"), true},
                         {query(Action::edit, Resource::servers), false},
                         {query(Action::edit, Resource::servers, "ha2"), false},
                         {query(Action::edit, Resource::servers, "h"), false},
                         {query(Action::edit, Resource::servers, "HA"), false},
                         {query(Action::edit, Resource::any), false},
                         {query(Action::edit, Resource::any, "ha"), false},
                         {query(Action::create, Resource::mcptokens, "demo/ci"), true},
                         {query(Action::create, Resource::mcptokens, "demo"), false},
                         {query(Action::create, Resource::mcptokens, "demo2/ci"), false},
                         {query(Action::create, Resource::mcptokens), false},
                         {query(Action::create, Resource::mcptokens, "demo/*"), true}}) {
    CAPTURE(to_text(row.asked));
    CHECK(policy.allowed(user("u"), row.asked) == row.allowed);
    CHECK(policy.decide(user("u"), row.asked).allowed == row.allowed);
  }
}

TEST_CASE("who may call a tool") {
  std::vector<Definition> definitions = {
      definition("v", {SubjectKind::user, "viewer"}, {"role:view,resource:servers,name:s"}),
      definition("r", {SubjectKind::user, "runner"}, {"role:run,resource:tools,name:s/query_*"}),
      definition("a", {SubjectKind::user, "all"}, {"role:run,resource:tools,name:s/*"}),
      definition("n", {SubjectKind::user, "neither"},
                 {"role:view,resource:tools", "role:run,resource:servers", "role:run,resource:tools,name:t/*"}),
  };
  struct Row {
    std::string who, tool;
    bool with_view, with_run;
  };
  Policy view = live(definitions, {}, ToolGrant::view), run = live(definitions, {}, ToolGrant::run);
  for (const Row& row : {Row{"viewer", "anything", true, false},
                         {"runner", "query_a", true, true},
                         {"runner", "query_", true, true},
                         {"runner", "query", false, false},
                         {"runner", "other", false, false},
                         {"all", "*", true, true},
                         {"runner", "*", false, false},
                         {"neither", "query_a", false, false}}) {
    CAPTURE(row.who);
    CAPTURE(row.tool);
    CHECK(view.may_use_tool(user(row.who), "s", row.tool) == row.with_view);
    CHECK(run.may_use_tool(user(row.who), "s", row.tool) == row.with_run);
    CHECK(view.allowed(user(row.who), query(Action::run, Resource::tools, "s/" + row.tool)) == row.with_view);
    CHECK(run.allowed(user(row.who), query(Action::run, Resource::tools, "s/" + row.tool)) == row.with_run);
  }
  struct Server {
    std::string who;
    bool any_view, any_run, server_view, server_run;
  };
  for (const Server& row : {Server{"viewer", true, false, true, true},
                            {"runner", true, true, false, false},
                            {"all", true, true, true, true},
                            {"neither", false, false, false, false}}) {
    CAPTURE(row.who);
    CHECK(view.may_use_any_tool(user(row.who), "s") == row.any_view);
    CHECK(run.may_use_any_tool(user(row.who), "s") == row.any_run);
    CHECK(view.may_use_server(user(row.who), "s") == row.server_view);
    CHECK(run.may_use_server(user(row.who), "s") == row.server_run);
  }
}

TEST_CASE("a token with the run right of an owner who views the server can call the tool") {
  Policy policy = live(
      {definition("o", {SubjectKind::user, "u"}, {"role:view,resource:servers,name:s", "role:view,resource:projects"}),
       definition("t", {SubjectKind::mcp_token, kSha},
                  {"role:run,resource:tools,name:s/get", "role:run,resource:tools,name:t/*"})});
  Principal who = token(kSha, "u");
  CHECK(policy.may_use_tool(who, "s", "get"));
  CHECK_FALSE(policy.may_use_tool(who, "s", "set"));
  CHECK_FALSE(policy.may_use_tool(who, "t", "get"));
  CHECK(policy.may_use_any_tool(who, "s"));
  CHECK_FALSE(policy.may_use_any_tool(who, "t"));
  CHECK(texts(policy.permissions(who)) == "role:run,resource:tools,name:s/get");
}

TEST_CASE("any tool: ranges of token and owner have to meet") {
  for (auto [own, owner, any] : {std::tuple("s/a*", "s/ab", true),
                                 {"s/ab", "s/a*", true},
                                 {"s/a*", "s/b*", false},
                                 {"s/a", "s/b", false},
                                 {"s/*", "s/b", true},
                                 {"s/a", "s/*", true},
                                 {"t/*", "s/*", false}}) {
    Policy policy =
        live({definition("o", {SubjectKind::user, "u"},
                         {"role:view,resource:projects", std::string("role:run,resource:tools,name:") + owner}),
              definition("t", {SubjectKind::mcp_token, kSha}, {std::string("role:run,resource:tools,name:") + own})});
    CAPTURE(own);
    CAPTURE(owner);
    CHECK(policy.may_use_any_tool(token(kSha, "u"), "s") == any);
  }
}

TEST_CASE("CE-65 order never matters, and the explanation is the same too") {
  std::vector<Definition> definitions = {
      definition("b", {SubjectKind::user, "u"}, {"role:edit,resource:servers", "role:view,resource:servers"}),
      definition("a", {SubjectKind::group, "g"}, {"role:view,resource:servers"}),
      definition("c", {SubjectKind::group, "h"}, {"role:view,resource:*"})};
  std::vector<Group> groups = {{"g", "g", {"u", "v", "u"}}, {"h", "h", {"u"}}, {"g", "g", {"u"}}};
  Policy there = live(definitions, groups),
         back = live({definitions.rbegin(), definitions.rend()}, {groups.rbegin(), groups.rend()});
  CHECK(there.decide(user("u"), kViewS).rule == "a: role:view,resource:servers");
  CHECK(back.decide(user("u"), kViewS).rule == "a: role:view,resource:servers");
  CHECK(texts(there.permissions(user("u"))) == "role:view,resource:*; role:edit,resource:servers");
  CHECK(texts(back.permissions(user("u"))) == texts(there.permissions(user("u"))));
  CHECK(there.rights_digest(user("u")) == back.rights_digest(user("u")));
  CHECK(there.allowed(user("v"), kViewS));
}

TEST_CASE("scopes for lists") {
  Policy policy = live({definition(
      "d", {SubjectKind::user, "u"},
      {"role:edit,resource:servers,name:b", "role:view,resource:servers,name:a", "role:view,resource:servers,name:b",
       "role:view,resource:prompts,name:demo/*", "role:run,resource:tools,name:t/q*", "role:view,resource:audit"})});
  Scope servers = policy.scope(user("u"), Action::view, Resource::servers);
  CHECK_FALSE(servers.all);
  CHECK(servers.names == std::vector<std::string>{"a", "b"});
  CHECK(policy.scope(user("u"), Action::edit, Resource::servers).names == std::vector<std::string>{"b"});
  CHECK(policy.scope(user("u"), Action::delete_, Resource::secrets).names.empty());
  CHECK(policy.scope(user("u"), Action::view, Resource::audit).all);
  Scope prompts = policy.scope(user("u"), Action::view, Resource::prompts);
  CHECK(prompts.admits("demo/x"));
  CHECK_FALSE(prompts.admits("demo"));
  CHECK_FALSE(prompts.admits("demo2/x"));
  CHECK_FALSE(prompts.admits(""));
  Scope tools = policy.scope(user("u"), Action::run, Resource::tools);
  CHECK(tools.names == std::vector<std::string>{"a/*", "b/*", "t/q*"});
  CHECK(tools.admits("t/query"));
  CHECK_FALSE(tools.admits("t/p"));
}

TEST_CASE("digests of rights follow what can be seen, not how it is written") {
  auto digest = [](std::initializer_list<std::string> texts_in, ToolGrant grant = ToolGrant::view) {
    return live({definition("d", {SubjectKind::user, "u"}, texts_in)}, {}, grant).rights_digest(user("u"));
  };
  auto base = digest({"role:view,resource:servers,name:s"});
  CHECK(base == digest({"role:expose,resource:servers,name:s", "role:run,resource:tools,name:s/x",
                        "role:edit,resource:secrets", "action:logs"}));
  CHECK(base != digest({"role:view,resource:servers,name:t"}));
  CHECK(base != digest({"role:view,resource:servers"}));
  CHECK(base != digest({"role:run,resource:tools,name:s/*"}));  // the same tools, but not the server's description
  CHECK(base != digest({"role:view,resource:servers,name:s", "role:view,resource:prompts,name:demo/x"}));
  CHECK(base != digest({"role:view,resource:servers,name:s", "role:run,resource:tools,name:s/x"}, ToolGrant::run));
  CHECK(digest({}) == live({}).rights_digest(Principal()));
  CHECK(digest({}) != base);
}

TEST_CASE("CE-11 CE-12 CE-13 clone: what a token can use, at the owner's scope, never more") {
  struct Row {
    std::initializer_list<std::string> held;
    std::string kept;
    std::string dropped;
  };
  const Row rows[] = {
      {{"role:view,resource:servers,name:a"}, "role:view,resource:servers,name:a", ""},
      {{"role:edit,resource:servers"},
       "role:view,resource:servers",
       "role:edit,resource:servers: only role:view,resource:servers is kept"},
      {{"role:edit,resource:*"},
       "role:view,resource:servers; role:view,resource:projects,name:demo; role:view,resource:prompts; "
       "role:create,resource:promptrequests",
       "role:edit,resource:*: only role:view,resource:servers and role:view,resource:prompts and "
       "role:view,resource:projects,name:demo and "
       "role:create,resource:promptrequests are kept"},
      {{"role:view,resource:*"},
       "role:view,resource:servers; role:view,resource:projects,name:demo; role:view,resource:prompts",
       "role:view,resource:*: only role:view,resource:servers and role:view,resource:prompts and "
       "role:view,resource:projects,name:demo are kept"},
      {{"role:run,resource:*"}, "role:run,resource:tools", "role:run,resource:*: only role:run,resource:tools is kept"},
      {{"role:run,resource:tools,name:s/q*"}, "role:run,resource:tools,name:s/q*", ""},
      {{"role:view,resource:projects,name:other"}, "", "role:view,resource:projects,name:other: outside project demo"},
      {{"role:view,resource:projects,name:demo"}, "role:view,resource:projects,name:demo", ""},
      {{"role:view,resource:prompts,name:other/x"},
       "",
       "role:view,resource:prompts,name:other/x: outside project demo"},
      {{"role:edit,resource:prompts,name:demo/x"},
       "role:view,resource:prompts,name:demo/x",
       "role:edit,resource:prompts,name:demo/x: only role:view,resource:prompts,name:demo/x is kept"},
      {{"role:create,resource:promptrequests,name:demo/*"}, "role:create,resource:promptrequests,name:demo/*", ""},
      {{"action:backup"}, "", "action:backup: operations are never cloned"},
      {{"role:view,resource:secrets"}, "", "role:view,resource:secrets: a token cannot use it"},
      {{"role:create,resource:mcptokens"}, "", "role:create,resource:mcptokens: a token cannot use it"},
      {{"role:run,resource:servers"}, "", "role:run,resource:servers: a token cannot use it"},
  };
  for (const Row& row : rows) {
    std::vector<Binding> held = bindings(row.held);
    CAPTURE(to_text(held[0]));
    Clone clone = clone_for_token(held, "demo");
    CHECK(texts(clone.bindings) == row.kept);
    std::string dropped;
    for (const std::string& one : clone.dropped)
      dropped += one;
    CHECK(dropped == row.dropped);
    CHECK(first_uncovered(held, clone.bindings, ToolGrant::run) == nullptr);
  }
}
