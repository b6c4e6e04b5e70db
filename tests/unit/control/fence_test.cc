// A project token on every route there is.
#include "unit/control/world.h"

using namespace mcptoken;
using namespace mcptoken::control;
using namespace mcptoken::control::testing;

namespace {

// Everything that a token may never read carries this word.
constexpr auto kPlanted = "planted";

struct Fence : World {
  Fence() {
    expect(201, root, "POST", "/api/v1/secrets", R"({"name":"planted-secret","data":{"k":"planted-value"}})");
    expect(
        201, root, "POST", "/api/v1/servers",
        R"({"name":"local","description":"A local one.","command":["planted-program","--planted"],"labels":{"planted":"x"},
               "env":["A=planted-env",{"name":"B","valueFrom":{"secretRef":{"name":"planted-secret","key":"k"}}}]})");
    expect(
        201, root, "POST", "/api/v1/servers",
        R"({"name":"remote","externalUrl":"https://planted.example.org/mcp","repositoryUrl":"https://planted.example.org/",
               "headers":[{"name":"X-Planted","value":"planted-header"}],"healthCheck":{"tool":"planted"}})");
    expect(201, root, "POST", "/api/v1/servers",
           R"({"name":"planted-elsewhere","externalUrl":"https://planted.example.org/"})");
    expect(201, root, "POST", "/api/v1/projects",
           R"({"name":"p","proxyModel":"none","description":"Ours.","servers":["local","remote"],"prompt":"be kind",
               "llm":{"baseUrl":"https://planted.example.org/","model":"planted","apiKeySecret":{"name":"planted-secret","key":"k"}}})");
    expect(201, root, "POST", "/api/v1/projects",
           R"({"name":"planted-q","proxyModel":"none","servers":["planted-elsewhere"]})");
  }
  // Minted by an administrator, with all that a token can be given.
  rbac::Principal token(const std::string& name, const std::string& rest) {
    return bearer(
        expect(201, root, "POST", "/api/v1/mcptokens", R"({"name":")" + name + R"(","project":"p",)" + rest + "}")
            .text("token"));
  }
  rbac::Principal root = admin();
};

std::string filled(const Route& route, const std::string& project, const std::string& other) {
  std::string out;
  for (auto segment : split(std::string_view(route.pattern).substr(1), '/')) {
    out += "/";
    if (!segment.starts_with(':'))
      out += segment;
    else
      out += segment == ":project" ? project : other;
  }
  return out;
}

}  // namespace

TEST_CASE("a token walks every route and finds its own project alone (CE-19 to 22, 24 to 28, 68)") {
  Fence world;
  const auto strong = world.token(
      "strong",
      R"("bindings":["role:edit,resource:*","role:run,resource:*","action:backup","action:escalate","action:set-own-password"])");
  const auto empty = world.token("empty", R"("rbacMode":"empty")");
  size_t reached = 0;
  for (const auto& route : routes()) {
    CAPTURE(route.pattern);
    CAPTURE(route.method);
    const std::string body =
        route.method == "GET" ? "" : R"({"name":"t","project":"p","action":"view","resource":"servers"})";
    for (const auto& who : {strong, empty}) {
      // The names that exist, so that a hole would show.
      for (const auto& other : {std::string("local"), std::string("planted-secret"), who.token_id, who.token_sha}) {
        for (const auto& project : {std::string("p"), std::string("planted-q"), std::string("none")}) {
          const auto reply = world.call(who, std::string(route.method), filled(route, project, other), body);
          CHECK_MESSAGE(reply.body.find(kPlanted) == std::string::npos, reply.body);
          if (reply.status == 403) continue;
          reached++;
          const bool own_project = route.tokens == TokenAccess::self_project && project == "p" && who.token_name == "strong";
          const bool reports = route.tokens == TokenAccess::reports && project == "p";  // needs no right
          // The state of the token's own gate, which needs no right either.
          const bool gate = route.pattern == "/api/v1/projects/:project/gate" && project == "p";
          const bool itself = route.tokens == TokenAccess::itself || route.tokens == TokenAccess::watch;
          CHECK_MESSAGE((own_project || reports || itself || gate), reply.body);
        }
      }
      if (route.method == "POST" && route.pattern.ends_with("/revoke")) continue;
    }
  }
  CHECK(reached > 10);
}

TEST_CASE("another project is refused by name, whether or not it exists") {
  Fence world;
  const auto token = world.token("t", R"("bindings":["role:view,resource:*"])");
  const auto there = world.expect(403, token, "GET", "/api/v1/projects/planted-q/servers");
  const auto missing = world.expect(403, token, "GET", "/api/v1/projects/none/servers");
  CHECK(there.body == missing.body);
  CHECK(there.headers == missing.headers);
  CHECK(there.text("error") == "wrong_project");
  CHECK(there.text("message") == "this token is for project \"p\"");
  CHECK(
      there.header("WWW-Authenticate") ==
      R"(Bearer realm="mcpctl", error="insufficient_scope", error_description="The token is not valid for this project")");
}

TEST_CASE("what a token sees of its project") {
  Fence world;
  const auto all =
      world.token("all", R"("bindings":["role:view,resource:projects,name:p","role:view,resource:servers"])");
  const auto project = world.expect(200, all, "GET", "/api/v1/projects/p");
  CHECK(json::to_text(*project.json.find("servers")) == R"([{"server":"local"},{"server":"remote"}])");
  CHECK(project.text("prompt") == "be kind");
  CHECK(project.json.find("llm") == nullptr);
  const auto servers = world.expect(200, all, "GET", "/api/v1/projects/p/servers");
  CHECK(
      json::to_text(*servers.json.find("items")) ==
      R"([{"name":"local","description":"A local one.","transport":"STDIO"},{"name":"remote","transport":"STREAMABLE_HTTP"}])");
  CHECK(world.expect(200, all, "GET", "/api/v1/projects/" + all.project_id + "/servers").body == servers.body);

  const auto one = world.token(
      "one", R"("bindings":["role:view,resource:projects,name:p","role:run,resource:tools,name:remote/x"])");
  CHECK(json::to_text(*world.expect(200, one, "GET", "/api/v1/projects/p/servers").json.find("items")) ==
        R"([{"name":"remote","transport":"STREAMABLE_HTTP"}])");
  const auto none = world.token("none", R"("rbacMode":"empty")");
  world.expect(403, none, "GET", "/api/v1/projects/p/servers");
  world.expect(200, none, "GET", "/api/v1/mcptokens/introspect");
}

TEST_CASE("nobody known reaches the open routes and no other") {
  Fence world;
  const rbac::Principal nobody;
  for (const auto& route : routes()) {
    CAPTURE(route.pattern);
    const auto reply =
        world.call(nobody, std::string(route.method), filled(route, "p", "local"), route.method == "GET" ? "" : "{}");
    CHECK(reply.body.find(kPlanted) == std::string::npos);
    if (route.permission.level == Permission::Level::open) {
      CHECK(reply.status != 401);
    } else {
      CHECK(reply.status == 401);
    }
  }
}

TEST_CASE("a user without rights reaches nothing but himself") {
  Fence world;
  const auto who = world.user("nobody@example.org");
  for (const auto& route : routes()) {
    CAPTURE(route.pattern);
    const auto reply =
        world.call(who, std::string(route.method), filled(route, "p", "local"), route.method == "GET" ? "" : "{}");
    CHECK(reply.body.find(kPlanted) == std::string::npos);
    if (route.permission.level == Permission::Level::exact || route.permission.level == Permission::Level::some ||
        route.permission.level == Permission::Level::operation)
      CHECK((reply.status == 403 || (reply.status == 400 && route.async_handler)));
  }
}
