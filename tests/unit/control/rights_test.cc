// What writing asks for beyond the route's permission, on every way to write.
#include "unit/control/world.h"

using namespace mcptoken;
using namespace mcptoken::control;
using namespace mcptoken::control::testing;

namespace {

constexpr auto kServers = "/api/v1/servers";

std::string scope_of(const Reply& reply) { return reply.header("WWW-Authenticate"); }

}  // namespace

TEST_CASE("whoever writes a server that starts something here needs the spawn right") {
  World world;
  const auto admin = world.admin();
  const auto editor = world.user("e@example.org", {"role:edit,resource:servers"});
  const auto runner =
      world.user("r@example.org", {"role:edit,resource:servers", "role:run,resource:servers,name:mine"});
  const char* starting[] = {R"({"name":"mine","command":["x"]})", R"({"name":"mine","packageName":"pkg@1.0"})",
                            R"({"name":"mine","dockerImage":"img:1"})",
                            R"({"name":"mine","externalUrl":"https://h/","allowPrivate":true})"};
  for (auto body : starting) {
    CAPTURE(body);
    const auto refused = world.expect(403, editor, "POST", kServers, body);
    CHECK(refused.text("error") == "forbidden");
    CHECK(scope_of(refused) == R"(Bearer realm="mcpctl", error="insufficient_scope", scope="run:servers")");
    world.expect(201, runner, "POST", kServers, body);
    // Any field, on either way to edit; and neither turning away from it nor towards it.
    world.expect(403, editor, "PATCH", "/api/v1/servers/mine", R"({"description":"x"})");
    world.expect(403, editor, "PUT", "/api/v1/servers/mine", body);
    world.expect(403, editor, "PUT", "/api/v1/servers/mine", R"({"name":"mine","externalUrl":"https://h/"})");
    world.expect(200, runner, "PUT", "/api/v1/servers/mine", R"({"name":"mine","externalUrl":"https://h/"})");
    world.expect(200, editor, "PATCH", "/api/v1/servers/mine", R"({"description":"y"})");
    world.expect(403, editor, "PUT", "/api/v1/servers/mine", body);
    world.expect(403, editor, "PATCH", "/api/v1/servers/mine", R"({"allowPrivate":true})");
    world.expect(200, admin, "DELETE", "/api/v1/servers/mine");
  }
  world.expect(403, runner, "POST", kServers, R"({"name":"other","command":["x"]})");
  world.expect(201, editor, "POST", kServers, R"({"name":"other","externalUrl":"https://h/"})");
}

TEST_CASE("a secret cannot be used through an object by somebody who may not use it") {
  World world;
  const auto admin = world.admin();
  world.expect(201, admin, "POST", "/api/v1/secrets", R"({"name":"keys","data":{"k":"v"}})");
  const std::string with =
      R"({"name":"s","externalUrl":"https://h/","headers":[{"name":"X","valueFrom":{"secretRef":{"name":"keys","key":"k"}}}]})";
  const auto editor = world.user(
      "e@example.org", {"role:edit,resource:servers", "role:edit,resource:projects", "role:view,resource:secrets"});
  const auto user = world.user("u@example.org", {"role:edit,resource:servers", "role:run,resource:secrets,name:keys"});
  const auto owner =
      world.user("o@example.org", {"role:edit,resource:servers", "role:edit,resource:secrets,name:keys"});
  const auto refused = world.expect(403, editor, "POST", kServers, with);
  CHECK(scope_of(refused) == R"(Bearer realm="mcpctl", error="insufficient_scope", scope="run:secrets")");
  world.expect(201, user, "POST", kServers, with);
  // The URL decides where the secret goes: changing it is using the secret.
  world.expect(403, editor, "PATCH", "/api/v1/servers/s", R"({"externalUrl":"https://evil/"})");
  world.expect(403, editor, "PUT", "/api/v1/servers/s", with);
  world.expect(200, owner, "PATCH", "/api/v1/servers/s", R"({"externalUrl":"https://good/"})");
  world.expect(200, editor, "PATCH", "/api/v1/servers/s", R"({"headers":[]})");
  world.expect(403, editor, "PATCH", "/api/v1/servers/s",
               R"({"headers":[{"name":"X","valueFrom":{"secretRef":{"name":"keys","key":"k"}}}]})");
  // Missing and forbidden secrets look alike.
  world.expect(403, editor, "PATCH", "/api/v1/servers/s",
               R"({"headers":[{"name":"X","valueFrom":{"secretRef":{"name":"gone","key":"k"}}}]})");
  const std::string llm = R"("llm":{"baseUrl":"https://h/","model":"m","apiKeySecret":{"name":"keys","key":"k"}})";
  world.expect(403, editor, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none",)" + llm + "}");
  world.expect(201, admin, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none",)" + llm + "}");
  world.expect(403, editor, "PATCH", "/api/v1/projects/p", R"({"llm":{"baseUrl":"https://evil/"}})");
}

TEST_CASE("attaching a server needs expose on it and edit on the project") {
  World world;
  const auto admin = world.admin();
  for (auto name : {"a", "b"})
    world.expect(201, admin, "POST", kServers, std::string(R"({"externalUrl":"https://h/","name":")") + name + "\"}");
  const auto one =
      world.user("one@example.org", {"role:edit,resource:projects", "role:expose,resource:servers,name:a"});
  const auto maker = world.user("maker@example.org", {"role:create,resource:projects", "role:expose,resource:servers"});
  CHECK(scope_of(
            world.expect(403, one, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none","servers":["b"]})"))
            .find("expose:servers") != std::string::npos);
  world.expect(403, maker, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none","servers":["a"]})");
  world.expect(201, maker, "POST", "/api/v1/projects", R"({"name":"q","proxyModel":"none"})");
  world.expect(201, one, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none","servers":["a"]})");
  world.expect(403, one, "PATCH", "/api/v1/projects/p", R"({"servers":["a","b"]})");
  world.expect(200, admin, "PATCH", "/api/v1/projects/p", R"({"servers":["a","b"]})");
  world.expect(200, one, "PATCH", "/api/v1/projects/p", R"({"prompt":"what is attached stays"})");
  world.expect(403, one, "PUT", "/api/v1/projects/q", R"({"name":"q","proxyModel":"none","servers":["b"]})");
}

TEST_CASE("a role definition cannot hand out what its writer does not hold (CE-46, 47, 48)") {
  World world;
  const auto admin = world.admin();
  const auto clerk = world.user("clerk@example.org", {"role:edit,resource:rbac", "role:view,resource:servers",
                                                      "role:edit,resource:projects,name:mine"});
  const auto escalator = world.user("esc@example.org", {"role:edit,resource:rbac", "action:escalate"});
  world.expect(201, admin, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none"})");
  const auto token = world.expect(201, admin, "POST", "/api/v1/mcptokens", R"({"name":"t","project":"p"})");
  const auto body = [](const std::string& subject, const std::string& binding) {
    return R"({"name":"r","subjects":[")" + subject + R"("],"roleBindings":[")" + binding + "\"]}";
  };
  for (const auto& subject : {std::string("User:clerk@example.org"), "McpToken:" + token.text("tokenSha"),
                              std::string("ServiceAccount:project:p")}) {
    CAPTURE(subject);
    for (auto binding : {"role:edit,resource:servers", "role:view,resource:*", "role:run,resource:servers",
                         "role:edit,resource:projects", "action:backup"}) {
      CAPTURE(binding);
      const auto refused = world.expect(403, clerk, "POST", "/api/v1/rbac", body(subject, binding));
      CHECK(refused.text("message").find("you do not hold") == 0);
    }
  }
  world.expect(201, clerk, "POST", "/api/v1/rbac", body("User:clerk@example.org", "role:view,resource:servers"));
  world.expect(403, clerk, "PATCH", "/api/v1/rbac/r", R"({"roleBindings":["role:edit,resource:servers"]})");
  world.expect(403, clerk, "PUT", "/api/v1/rbac/r", body("User:clerk@example.org", "action:logs"));
  world.expect(200, clerk, "PATCH", "/api/v1/rbac/r", R"({"roleBindings":["role:edit,resource:projects,name:mine"]})");
  world.expect(201, escalator, "POST", "/api/v1/rbac",
               R"({"name":"all","subjects":["User:root@example.org"],"roleBindings":["role:edit,resource:*"]})");
  // Neither does a change of subjects alone hand on what the writer lacks.
  world.expect(403, clerk, "PATCH", "/api/v1/rbac/all", R"({"subjects":["User:clerk@example.org"]})");
  CHECK(world
            .expect(400, admin, "POST", "/api/v1/rbac",
                    body("McpToken:" + std::string(64, 'a'), "role:view,resource:servers"))
            .text("message")
            .find("no token") != std::string::npos);
  REQUIRE(world.refusals.size() == 18);
  CHECK(world.refusals[0].kind == audit::Kind::rbac_decision);
  CHECK(world.refusals[0].outcome == audit::Outcome::denied);
  CHECK(world.refusals[0].user == "clerk@example.org");
}

TEST_CASE("who fills a group hands out what the group holds") {
  World world;
  const auto admin = world.admin();
  const auto clerk = world.user("clerk@example.org", {"role:edit,resource:groups"});
  world.expect(201, admin, "POST", "/api/v1/groups", R"({"name":"admins","members":["root@example.org"]})");
  world.expect(201, admin, "POST", "/api/v1/rbac",
               R"({"name":"r","subjects":["Group:admins"],"roleBindings":["role:edit,resource:*"]})");
  world.expect(403, clerk, "PATCH", "/api/v1/groups/admins", R"({"members":["root@example.org","clerk@example.org"]})");
  world.expect(403, clerk, "PUT", "/api/v1/groups/admins", R"({"name":"admins","members":["clerk@example.org"]})");
  world.expect(200, clerk, "PATCH", "/api/v1/groups/admins", R"({"description":"fine"})");
  world.expect(200, clerk, "PATCH", "/api/v1/groups/admins", R"({"members":[]})");
  world.expect(200, admin, "PATCH", "/api/v1/groups/admins", R"({"members":["clerk@example.org"]})");
  world.expect(200, clerk, "GET", "/api/v1/servers");  // through the group
}

TEST_CASE("definitions that belong to tokens are not edited or deleted as roles (CE-45, 49)") {
  World world;
  const auto admin = world.admin();
  world.expect(201, admin, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none"})");
  const auto token = world.expect(201, admin, "POST", "/api/v1/mcptokens",
                                  R"({"name":"t","project":"p","bindings":["role:view,resource:servers"]})");
  const auto path = "/api/v1/rbac/mcptoken-" + token.text("id");
  const auto shown = world.expect(200, admin, "GET", path);
  CHECK(json::to_text(*shown.json.find("subjects")) ==
        R"([{"kind":"McpToken","name":")" + token.text("tokenSha") + "\"}]");
  world.expect(403, admin, "PATCH", path, R"({"roleBindings":["role:edit,resource:*"]})");
  world.expect(403, admin, "PUT", path, R"({"name":"x","subjects":[],"roleBindings":[]})");
  world.expect(403, admin, "DELETE", path);
  world.expect(403, admin, "DELETE", "/api/v1/rbac/" + shown.text("id"));
  CHECK(world.expect(400, admin, "POST", "/api/v1/rbac", R"({"name":"mcptoken-x","subjects":[],"roleBindings":[]})")
            .text("message")
            .find("belong to tokens") != std::string::npos);
  world.expect(200, admin, "DELETE", "/api/v1/mcptokens/" + token.text("id"));
  world.expect(404, admin, "GET", path);
}

TEST_CASE("who names what he may not view is not told whether it is there") {
  World world;
  const auto root = world.admin();
  world.expect(201, root, "POST", "/api/v1/users", R"({"email":"there@example.org"})");
  world.expect(201, root, "POST", "/api/v1/groups", R"({"name":"there"})");
  world.expect(201, root, "POST", "/api/v1/proxymodels", R"({"name":"there","stages":[{"type":"paginate"}]})");
  world.expect(201, root, "POST", "/api/v1/projects", R"({"name":"own","proxyModel":"there"})");
  world.expect(201, root, "POST", "/api/v1/projects", R"({"name":"there"})");
  const auto writer = world.user("w@example.org", {"role:create,resource:*", "role:edit,resource:projects,name:own",
                                                   "role:run,resource:proxymodels"});
  struct Row {
    std::string path, body;
  };
  const std::string bound = R"(,"roleBindings":["role:create,resource:groups"]})";
  const Row rows[] = {
      {"rbac", R"({"name":"r","subjects":["User:$@example.org"])" + bound},
      {"rbac", R"({"name":"s","subjects":["Group:$"])" + bound},
      {"groups", R"({"name":"g","members":["$@example.org"]})"},
      {"projects", R"({"name":"q","proxyModel":"$"})"},
      {"proxymodels", R"({"name":"m","extends":["$"]})"},
      {"prompts", R"({"name":"p","project":"$","content":"c"})"},
      {"promptrequests", R"({"name":"p","project":"$","content":"c"})"},
  };
  const auto with = [](std::string text, const std::string& name) {
    for (size_t at; (at = text.find('$')) != text.npos;)
      text.replace(at, 1, name);
    return text;
  };
  const auto masked = [](std::string text, const std::string& name) {
    for (size_t at; (at = text.find(name)) != text.npos;)
      text.replace(at, name.size(), "$");
    return text;
  };
  for (const auto& row : rows) {
    CAPTURE(row.body);
    const auto path = "/api/v1/" + row.path;
    const auto there = world.expect(403, writer, "POST", path, with(row.body, "there"));
    const auto missing = world.expect(403, writer, "POST", path, with(row.body, "gone"));
    CHECK(masked(there.body, "there") == masked(missing.body, "gone"));
    world.expect(400, root, "POST", path, with(row.body, "gone"));
    world.expect(201, root, "POST", path, with(row.body, "there"));
  }
  // Himself everybody may name, what has no object behind it, and what was named before.
  world.expect(201, writer, "POST", "/api/v1/groups", R"({"name":"mine","members":["w@example.org"]})");
  world.expect(201, writer, "POST", "/api/v1/projects", R"({"name":"plain","proxyModel":"gate"})");
  world.expect(200, writer, "PATCH", "/api/v1/projects/own", R"({"description":"x"})");
  world.expect(403, writer, "PATCH", "/api/v1/projects/plain", R"({"proxyModel":"there"})");
  // A right in one project names it.
  const auto author = world.user("a@example.org", {"role:edit,resource:prompts,name:there/*"});
  world.expect(201, author, "POST", "/api/v1/prompts", R"({"name":"own","project":"there","content":"c"})");
  world.expect(200, author, "PATCH", "/api/v1/prompts/own?project=there", R"({"summary":"s"})");
  world.expect(403, author, "POST", "/api/v1/prompts", R"({"name":"own","project":"own","content":"c"})");
}
