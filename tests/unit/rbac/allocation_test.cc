#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "rbac/policy.h"

namespace {
std::atomic<long> g_allocations{0};
}

// The whole program counts its allocations; only this file looks.
void* operator new(size_t size) {
  ++g_allocations;
  if (void* memory = std::malloc(size ? size : 1)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

using namespace mcptoken::rbac;

TEST_CASE("decisions of the request path allocate nothing") {
  auto bindings =
      parse_bindings(std::vector<std::string>{"role:view,resource:projects", "role:view,resource:servers,name:files",
                                              "role:run,resource:tools,name:grafana/query_*"});
  REQUIRE(bindings);
  std::string sha(64, 'a'), user = "a-user-id-longer-than-any-small-buffer";
  Policy policy({{"1", "owner", {{SubjectKind::user, user}, {SubjectKind::group, "team"}}, *bindings},
                 {"2", "token", {{SubjectKind::mcp_token, sha}}, *bindings}},
                {{"team", "team", {user}}}, Ceiling::live, ToolGrant::view);
  Principal who;
  who.kind = PrincipalKind::token;
  who.user_id = user;
  who.token_sha = sha;
  who.project = "demo";
  Query query{Action::view, Resource::servers, "files", {}};

  long before = g_allocations;
  bool all = policy.may_use_tool(who, "files", "a_tool_with_a_rather_long_name") &&
             policy.may_use_tool(who, "grafana", "query_metrics") && policy.may_use_any_tool(who, "grafana") &&
             policy.may_use_server(who, "files") && policy.allowed(who, query);
  bool none = policy.may_use_tool(who, "grafana", "delete_everything") || policy.may_use_any_tool(who, "other") ||
              policy.may_use_server(who, "grafana");
  long after = g_allocations;
  CHECK(all);
  CHECK_FALSE(none);
  CHECK(after == before);
  CHECK(policy.decide(who, query).allowed);
  CHECK(g_allocations > after);  // the counter counts
}
