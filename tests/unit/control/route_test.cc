#include "control/route.h"

#include <doctest/doctest.h>

#include <set>

#include "base/bytes.h"

using namespace mcptoken;
using namespace mcptoken::control;

namespace {

struct Found {
  const Route* route;
  Params params;
  std::vector<std::string_view> allowed;
};

Found find(std::string_view method, std::string_view path) {
  std::vector<std::string> segments;
  for (auto part : split(path.substr(1), '/'))
    segments.emplace_back(part);
  Found found{};
  found.route = match(method, segments, found.params, found.allowed);
  return found;
}

}  // namespace

// A route without a permission is not a route at all.
static_assert(!std::is_constructible_v<Route, std::string_view, std::string, TokenAccess, Handler>);
static_assert(!std::is_default_constructible_v<Route>);
static_assert(!std::is_default_constructible_v<Permission>);

TEST_CASE("the table is consistent") {
  std::set<std::string> keys;
  for (const auto& route : routes()) {
    CHECK_MESSAGE(keys.insert(std::string(route.method) + " " + route.pattern).second, route.pattern);
    CHECK_MESSAGE(((route.handler != nullptr) != (route.async_handler != nullptr)), route.pattern);
    const bool has_segment = route.permission.segment.empty() ||
                             route.pattern.find(":" + std::string(route.permission.segment)) != std::string::npos;
    CHECK_MESSAGE(has_segment, route.pattern);
    // What a token may reach names its project, or is about the token.
    if (route.tokens == TokenAccess::self_project)
      CHECK_MESSAGE(route.pattern.starts_with("/api/v1/projects/:project"), route.pattern);
    const std::set<std::string> changing = {"POST /api/v1/projects/:project/promptrequests", "PUT /api/v1/projects/:project/gate"};
    if (route.tokens == TokenAccess::self_project && route.method != "GET")
      CHECK_MESSAGE(changing.contains(std::string(route.method) + " " + route.pattern), route.pattern);
    // Whoever is unknown reaches these and no other.
    if (route.permission.level == Permission::Level::open) {
      const std::set<std::string> open = {"POST /api/v1/auth/bootstrap", "POST /api/v1/auth/login", "GET /api/v1/kinds",
                                          "GET /api/v1/version"};
      CHECK_MESSAGE(open.contains(std::string(route.method) + " " + route.pattern), route.pattern);
    }
  }
}

TEST_CASE("paths match exactly") {
  CHECK(find("GET", "/api/v1/servers").route->pattern == "/api/v1/servers");
  const auto one = find("PUT", "/api/v1/servers/my-ha");
  REQUIRE(one.route != nullptr);
  CHECK(one.params.get("server") == "my-ha");
  CHECK(find("GET", "/api/v1/mcptokens/introspect").route->pattern == "/api/v1/mcptokens/introspect");
  CHECK(find("GET", "/api/v1/mcptokens/abc").params.get("id") == "abc");
  CHECK(find("POST", "/api/v1/users/me/password").route->pattern == "/api/v1/users/me/password");
  CHECK(find("PUT", "/api/v1/users/bob/password").route->pattern == "/api/v1/users/:user/password");
  for (auto path : {"/api/v1/Servers", "/api/v1/servers/", "/api/v1//servers", "/api/v1/mcptokens/introspect/",
                    "/api/v1/mcptokens/Introspect/x", "/api/v1/mcptokens/introspect/../servers",
                    "/api/v1/mcptokens/introspect;x/y/z", "/servers", "/"}) {
    const auto found = find("GET", path);
    CHECK_MESSAGE(found.route == nullptr, path);
    CHECK_MESSAGE(found.allowed.empty(), path);
  }
}

TEST_CASE("a known path with another method says which methods it has, and never becomes another route") {
  const auto found = find("DELETE", "/api/v1/mcptokens/introspect");
  CHECK(found.route == nullptr);
  CHECK(found.allowed == std::vector<std::string_view>{"GET"});
  CHECK(find("get", "/api/v1/servers").route == nullptr);
  CHECK(find("PUT", "/api/v1/servers").allowed.size() == 2);
}
