// Numbered cases of docs/security-cases.md that concern the control plane as a whole. The others are beside what they
// are about.
#include <algorithm>
#include <set>

#include "unit/control/world.h"

using namespace mcptoken;
using namespace mcptoken::control;
using namespace mcptoken::control::testing;

namespace {

constexpr auto kTokens = "/api/v1/mcptokens";

struct Project : World {
  Project() { expect(201, root, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none"})"); }
  std::string definition(const std::string& name, const std::string& subject, const std::string& binding) {
    return R"({"name":")" + name + R"(","subjects":[")" + subject + R"("],"roleBindings":[")" + binding + R"("]})";
  }
  bool may(const rbac::Principal& who, const std::string& body) {
    return *expect(200, who, "POST", "/api/v1/authz/check", body).json.find("allowed")->as_bool();
  }
  rbac::Principal root = admin();
};

// Paths of the fields whose values are used as a secret, of every kind.
void secret_fields(std::span<const Field> fields, const std::string& path, std::set<std::string>& out) {
  for (const auto& field : fields) {
    const auto here = path + "." + std::string(field.name);
    if (field.use == Use::secret) out.insert(here);
    secret_fields(field.fields, here, out);
  }
}

}  // namespace

TEST_CASE(
    "CE-41 a right that comes from a group is handed on while the user is a member, and gone from the token after") {
  Project world;
  const auto bob =
      world.user("bob@example.org", {"role:view,resource:projects,name:p", "role:create,resource:mcptokens"});
  world.expect(201, world.root, "POST", "/api/v1/groups", R"({"name":"team","members":["bob@example.org"]})");
  world.expect(201, world.root, "POST", "/api/v1/rbac",
               world.definition("team", "Group:team", "role:view,resource:servers"));
  const auto mint = R"({"name":"t","project":"p","bindings":["role:view,resource:servers"]})";
  const auto token = world.bearer(world.expect(201, bob, "POST", kTokens, mint).text("token"));
  const auto view = R"({"action":"view","resource":"servers","name":"s"})";
  CHECK(world.may(token, view));
  world.expect(200, world.root, "PATCH", "/api/v1/groups/team", R"({"members":[]})");
  CHECK(!world.may(token, view));
  world.expect(403, bob, "POST", kTokens, R"({"name":"u","project":"p","bindings":["role:view,resource:servers"]})");
  world.expect(200, world.root, "PATCH", "/api/v1/groups/team", R"({"members":["bob@example.org"]})");
  CHECK(world.may(token, view));
}

TEST_CASE("CE-43 CE-69 who comes back under an old name or address inherits nothing") {
  Project world;
  world.expect(201, world.root, "POST", "/api/v1/users", R"({"email":"bob@example.org"})");
  world.expect(201, world.root, "POST", "/api/v1/groups", R"({"name":"team","members":["bob@example.org"]})");
  world.expect(201, world.root, "POST", "/api/v1/rbac",
               world.definition("direct", "User:bob@example.org", "role:view,resource:servers"));
  world.expect(201, world.root, "POST", "/api/v1/rbac",
               world.definition("team", "Group:team", "role:view,resource:secrets"));
  world.expect(200, world.root, "DELETE", "/api/v1/users/bob@example.org");
  world.expect(201, world.root, "POST", "/api/v1/users", R"({"email":"bob@example.org"})");
  rbac::Principal again;
  again.kind = rbac::PrincipalKind::user;
  again.user_email = "bob@example.org";
  again.user_id = world.expect(200, world.root, "GET", "/api/v1/users/bob@example.org").text("id");
  CHECK(!world.may(again, R"({"action":"view","resource":"servers"})"));
  CHECK(!world.may(again, R"({"action":"view","resource":"secrets"})"));
  // Other spellings are other people, or none: the domain alone is folded.
  world.expect(409, world.root, "POST", "/api/v1/users", R"({"email":"bob@EXAMPLE.org"})");
  world.expect(201, world.root, "POST", "/api/v1/users", R"({"email":"Bob@example.org"})");
  world.expect(201, world.root, "POST", "/api/v1/users", R"({"email":"bob+x@example.org"})");
  for (auto email : {"bob@example.org.", "b\\u00f6b@example.org", "bob@example.org ", "McpToken:abc"})
    world.expect(400, world.root, "POST", "/api/v1/users", R"({"email":")" + std::string(email) + "\"}");
  // The same for a group of an old name.
  world.expect(200, world.root, "DELETE", "/api/v1/groups/team");
  world.expect(201, world.root, "POST", "/api/v1/groups", R"({"name":"team","members":["bob@example.org"]})");
  CHECK(!world.may(again, R"({"action":"view","resource":"secrets"})"));
}

TEST_CASE("CE-48 nobody gives more to himself or to a group of his") {
  Project world;
  const auto clerk = world.user("clerk@example.org", {"role:edit,resource:rbac", "role:edit,resource:groups"});
  world.expect(201, world.root, "POST", "/api/v1/groups", R"({"name":"mine","members":["clerk@example.org"]})");
  for (auto subject : {"User:clerk@example.org", "Group:mine", "ServiceAccount:project:p"})
    world.expect(403, clerk, "POST", "/api/v1/rbac", world.definition("more", subject, "role:view,resource:secrets"));
  // What he holds he may hand on; then widen it on no way.
  world.expect(201, clerk, "POST", "/api/v1/rbac", world.definition("more", "Group:mine", "role:edit,resource:groups"));
  world.expect(403, clerk, "PATCH", "/api/v1/rbac/more", R"({"roleBindings":["role:edit,resource:*"]})");
  world.expect(403, clerk, "PUT", "/api/v1/rbac/more",
               world.definition("more", "Group:mine", "role:run,resource:groups"));
  world.expect(403, clerk, "PATCH", "/api/v1/rbac/more", R"({"roleBindings":["action:escalate"]})");
}

TEST_CASE("CE-50 an exported definition is not applied by somebody weaker, nor by its author after a demotion") {
  Project world;
  const auto author = world.user("a@example.org", {"role:edit,resource:rbac"});
  world.expect(201, world.root, "POST", "/api/v1/rbac",
               world.definition("lent", "User:a@example.org", "role:edit,resource:servers"));
  const auto body = world.definition("made", "User:a@example.org", "role:edit,resource:servers");
  world.expect(201, author, "POST", "/api/v1/rbac", body);
  world.expect(200, author, "PUT", "/api/v1/rbac/made", body);
  world.expect(403, world.user("weak@example.org", {"role:edit,resource:rbac"}), "PUT", "/api/v1/rbac/made", body);
  world.expect(200, world.root, "DELETE", "/api/v1/rbac/lent");
  world.expect(200, world.root, "DELETE", "/api/v1/rbac/made");
  world.expect(403, author, "POST", "/api/v1/rbac", body);
  world.expect(404, world.root, "GET", "/api/v1/rbac/made");
}

TEST_CASE("CE-52 CE-53 names never move, and a new object of an old name has a new id") {
  Project world;
  world.expect(201, world.root, "POST", "/api/v1/servers", R"({"name":"s","externalUrl":"https://h/"})");
  for (auto path : {"/api/v1/projects/p", "/api/v1/servers/s"})
    CHECK(world.expect(400, world.root, "PATCH", path, R"({"name":"x"})").text("message") == "name: cannot be changed");
  CHECK(world.expect(400, world.root, "PATCH", "/api/v1/users/root@example.org", R"({"email":"x@example.org"})")
            .text("message") == "email: cannot be changed");
  world.expect(200, world.root, "PATCH", "/api/v1/projects/p", R"({"servers":["s"]})");
  CHECK(world.expect(409, world.root, "DELETE", "/api/v1/servers/s").text("error") == "conflict");
  const auto id = world.expect(200, world.root, "GET", "/api/v1/projects/p").text("id");
  const auto sha = world.expect(201, world.root, "POST", kTokens, R"({"name":"t","project":"p"})").text("tokenSha");
  world.expect(200, world.root, "DELETE", "/api/v1/projects/p");
  world.expect(201, world.root, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none"})");
  CHECK(world.expect(200, world.root, "GET", "/api/v1/projects/p").text("id") != id);
  crypto::Digest digest{};
  REQUIRE(from_hex(sha, digest));
  world.read([&](store::Tx& tx) -> Result<void> {
    CHECK(!tx.find_token(digest).has_value());
    return {};
  });
}

TEST_CASE("CE-70 no spelling of another path or method is an open route") {
  Params params;
  std::vector<std::string_view> allowed;
  const auto level = [&](std::string_view method, std::vector<std::string> path) {
    const auto* route = match(method, path, params, allowed);
    return route ? std::optional(route->permission.level) : std::nullopt;
  };
  using Level = Permission::Level;
  CHECK(level("POST", {"api", "v1", "auth", "login"}) == Level::open);
  CHECK(level("GET", {"api", "v1", "mcptokens", "introspect"}) == Level::self);
  for (auto method : {"GET", "PUT", "DELETE", "PATCH", "post", "OPTIONS", "HEAD"})
    CHECK(level(method, {"api", "v1", "auth", "login"}) == std::nullopt);
  for (const auto& path : std::vector<std::vector<std::string>>{{"api", "v1", "auth", "Login"},
                                                                {"api", "v1", "auth", "login", ""},
                                                                {"api", "v1", "", "auth", "login"},
                                                                {"api", "v1", "auth", "login;x"},
                                                                {"api", "v1", "auth/login"},
                                                                {"api", "v1", "auth", "..", "servers"},
                                                                {"api", "v1", "auth", "login/../servers"},
                                                                {"API", "v1", "auth", "login"}})
    CHECK(level("POST", path) == std::nullopt);
}

TEST_CASE("CE-71 every route has a permission, and the open ones are these") {
  std::set<std::string> open;
  for (const auto& route : routes()) {
    if (route.permission.level == Permission::Level::open) open.insert(std::string(route.method) + " " + route.pattern);
  }
  CHECK(open == std::set<std::string>{"POST /api/v1/auth/bootstrap", "POST /api/v1/auth/login", "GET /api/v1/kinds",
                                      "GET /api/v1/version"});
  World empty;
  const auto who = empty.user("first@example.org");  // no definitions exist
  for (const auto& kind : kinds()) {
    if (!kind.is_virtual) empty.expect(403, who, "GET", "/api/v1/" + std::string(kind.plural));
  }
}

TEST_CASE("no route overlooks what it does not know in the query") {
  World world;
  const auto root = world.admin();
  for (const auto& route : routes()) {
    CAPTURE(route.pattern);
    CAPTURE(route.method);
    std::string path(route.pattern);
    for (const std::string_view segment : {":user", ":id", ":project", ":server"}) {
      if (const auto at = path.find(segment); at != path.npos)
        path.replace(at, segment.size(), segment == ":user" ? "root@example.org" : "x");
    }
    if (path.find("/:") != path.npos) continue;  // of an object that is not there
    const auto answer = world.call(root, std::string(route.method), path + "?nonsense=1", R"({"password":"long enough now"})");
    CHECK((answer.status == 400 || answer.status == 403 || answer.status == 404));
  }
  const int hashes = world.hashes;
  const auto path = "/api/v1/users/root@example.org/password?dryRun=true";
  world.expect(400, root, "PUT", path, R"({"password":"long enough now"})");
  CHECK(world.hashes == hashes);
}

TEST_CASE("who stands in the way is named to whoever may view it") {
  World world;
  const auto root = world.admin();
  world.expect(201, root, "POST", "/api/v1/servers", R"({"name":"s","externalUrl":"https://e.org/"})");
  world.expect(201, root, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none","servers":["s"]})");
  world.expect(201, root, "POST", "/api/v1/projects", R"({"name":"q","proxyModel":"none","servers":["s"]})");
  const auto in_use = [&](const std::string& who, const std::vector<std::string>& rights) {
    return world.expect(409, world.user(who, rights), "DELETE", "/api/v1/servers/s").text("message");
  };
  CHECK(in_use("a@example.org", {"role:delete,resource:servers"}) ==
        "server \"s\" is in use: something that you may not view");
  CHECK(in_use("b@example.org", {"role:delete,resource:servers", "role:view,resource:projects,name:q"}) ==
        "server \"s\" is in use: project \"q\" (servers), something that you may not view");
  const auto owner = world.user("o@example.org", {"role:create,resource:mcptokens", "role:view,resource:projects"});
  world.expect(201, owner, "POST", "/api/v1/mcptokens", R"({"name":"t","project":"p"})");
  const auto clerk = world.user("c@example.org", {"role:delete,resource:users"});
  CHECK(world.expect(409, clerk, "DELETE", "/api/v1/users/o@example.org").text("message") ==
        "user \"o@example.org\" is in use: something that you may not view");
  CHECK(world.expect(409, root, "DELETE", "/api/v1/users/o@example.org").text("message").find("\"t\"") != std::string::npos);
}

TEST_CASE("nobody without the right to use a secret makes any object send it anywhere, on any way to write") {
  Project world;
  world.expect(201, world.root, "POST", "/api/v1/secrets", R"({"name":"s","data":{"k":"v"}})");
  world.expect(201, world.root, "POST", "/api/v1/secrets", R"({"name":"own","data":{"k":"v"}})");
  const auto ref = [](const std::string& name) { return R"({"name":")" + name + R"(","key":"k"})"; };
  const auto entry = [&](const std::string& name) {
    return R"([{"name":"N","valueFrom":{"secretRef":)" + ref(name) + "}}]";
  };
  struct Case {
    std::string field, path;                       // of the schema table; of REST
    std::function<std::string(std::string)> body;  // with a secret, as an object
    std::string where, elsewhere;                  // a change that sends it somewhere else, and one that is harmless
  };
  const std::vector<Case> cases = {
      {"server.env.valueFrom.secretRef.name", "/api/v1/servers",
       [&](const std::string& s) { return R"({"name":"a","command":["x"],"env":)" + entry(s) + "}"; },
       R"({"command":["y"]})", R"({"description":"d"})"},
      {"server.headers.valueFrom.secretRef.name", "/api/v1/servers",
       [&](const std::string& s) { return R"({"name":"b","externalUrl":"https://h/","headers":)" + entry(s) + "}"; },
       R"({"externalUrl":"https://evil/"})", R"({"labels":{"a":"b"}})"},
      {"project.llm.apiKeySecret.name", "/api/v1/projects",
       [&](const std::string& s) {
         return R"({"name":"c","proxyModel":"none","llm":{"baseUrl":"https://h/","model":"m","apiKeySecret":)" +
                ref(s) + "}}";
       },
       R"({"llm":{"baseUrl":"https://evil/"}})", R"({"prompt":"x"})"},
  };
  std::set<std::string> declared, tested;
  for (const auto& kind : kinds())
    secret_fields(kind.fields, std::string(kind.name), declared);
  for (const auto& one : cases)
    tested.insert(one.field);
  CHECK(declared == tested);  // a new field that uses secrets belongs here

  // Everything but the use of "s"; seeing it is not using it.
  const auto editor = world.user(
      "e@example.org", {"role:edit,resource:servers", "role:edit,resource:projects", "role:run,resource:servers",
                        "role:view,resource:secrets", "role:run,resource:secrets,name:own"});
  for (const auto& one : cases) {
    CAPTURE(one.field);
    const auto name = json::parse(one.body("s"))->text("name");
    const auto object = one.path + "/" + name;
    world.expect(403, editor, "POST", one.path, one.body("s"));
    world.expect(201, editor, "POST", one.path, one.body("own"));
    world.expect(403, editor, "PUT", object, one.body("s"));
    const auto to_s = *json::parse(one.body("s"));
    for (const auto& [key, value] : to_s.members()) {
      if (key == "env" || key == "headers" || key == "llm")
        world.expect(403, editor, "PATCH", object, "{\"" + key + "\":" + json::to_text(value) + "}");
    }
    CHECK(world.expect(200, world.root, "GET", object).body.find("\"s\"") == std::string::npos);
    world.expect(200, world.root, "PUT", object, one.body("s"));
    world.expect(403, editor, "PATCH", object, one.where);
    world.expect(403, editor, "PATCH", object, one.elsewhere);
    world.expect(403, editor, "PUT", object, one.body("s"));
    world.expect(200, editor, "PUT", object, one.body("own"));
  }
}

TEST_CASE("nobody without the spawn right makes anything start a process, on any way to write") {
  Project world;
  const auto editor = world.user("e@example.org", {"role:edit,resource:*"});
  struct Case {
    std::string path, starting, harmless;
  };
  const Case cases[] = {
      {"/api/v1/servers", R"({"name":"a","command":["x"]})", R"({"name":"a","externalUrl":"https://h/"})"},
      {"/api/v1/servers", R"({"name":"b","packageName":"p@1"})", R"({"name":"b","externalUrl":"https://h/"})"},
      {"/api/v1/servers", R"({"name":"c","dockerImage":"i:1"})", R"({"name":"c","externalUrl":"https://h/"})"},
      {"/api/v1/servers", R"({"name":"d","externalUrl":"https://h/","allowPrivate":true})",
       R"({"name":"d","externalUrl":"https://h/"})"},
      {"/api/v1/proxymodels", R"({"name":"e","stages":[{"type":"exec","config":{"command":["x"]}}]})",
       R"({"name":"e","stages":[]})"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.starting);
    const auto object = one.path + "/" + json::parse(one.starting)->text("name");
    world.expect(403, editor, "POST", one.path, one.starting);
    world.expect(201, editor, "POST", one.path, one.harmless);
    world.expect(403, editor, "PUT", object, one.starting);
    world.expect(200, world.root, "PUT", object, one.starting);
    for (auto change : {R"({"description":"d"})", R"({"labels":{"a":"b"}})"})
      world.expect(403, editor, "PATCH", object, change);
    world.expect(403, editor, "PUT", object, one.harmless);
  }
}

TEST_CASE("a check says which binding decides, or what is missing") {
  Project world;
  const auto who = world.user("w@example.org", {"role:view,resource:servers,name:s"});
  const auto rule = [&](const std::string& body) {
    return world.expect(200, who, "POST", "/api/v1/authz/check", body).text("rule");
  };
  CHECK(rule(R"({"action":"view","resource":"srv","name":"s"})") ==
        "of-" + who.user_id + ": role:view,resource:servers,name:s");
  CHECK(rule(R"({"action":"edit","resource":"servers","name":"s"})") == "missing edit:servers:s");
  CHECK(rule(R"({"operation":"backup"})") == "missing run:backup");
  world.expect(400, who, "POST", "/api/v1/authz/check", R"({"action":"view","resource":"Servers"})");
}
