#include "control/objects.h"
#include "unit/control/world.h"

using namespace mcptoken;
using namespace mcptoken::control;
using namespace mcptoken::control::testing;

namespace {

struct Sample {
  const char* plural;
  const char* name;
  const char* create;
  const char* patch;
  const char* field;  // that the patch changes
  const char* value;  // as JSON
};

constexpr Sample kSamples[] = {
    {"users", "bob@example.org", R"({"email":"bob@EXAMPLE.org","name":"Bob"})", R"({"name":"Robert"})", "name",
     R"("Robert")"},
    {"groups", "ops", R"({"name":"ops","members":["root@example.org"]})", R"({"description":"operators"})",
     "description", R"("operators")"},
    {"secrets", "keys", R"({"name":"keys","data":{"a":"1"}})", R"({"description":"x"})", "description", R"("x")"},
    {"servers", "echo", R"({"name":"echo","command":["echo-server","-v"],"env":["A=1"]})", R"({"replicas":3})",
     "replicas", "3"},
    {"projects", "demo", R"({"name":"demo","proxyModel":"none"})", R"({"prompt":"be kind"})", "prompt", R"("be kind")"},
    {"rbac", "viewers",
     R"({"name":"viewers","subjects":["User:root@example.org","Group:ops"],"roleBindings":["role:view,resource:servers"]})",
     R"({"roleBindings":["role:view,resource:projects"]})", "roleBindings",
     R"([{"role":"view","resource":"projects"}])"},
};

// What a client would send back: the answer without what the server sets.
Value as_body(const Value& answer) {
  Value body = answer;
  for (auto key : {"id", "version", "createdAt", "updatedAt", "warnings"})
    body.erase(key);
  return body;
}

Status open_value_for_test(const crypto::Key& key, std::string_view id, std::string_view name,
                           std::string_view sealed) {
  const auto opened = open_value(key, id, name, sealed);
  return opened ? Status::ok : opened.error().status;
}

}  // namespace

TEST_CASE("every kind is created, read, listed, replaced, patched and deleted") {
  World world;
  const auto admin = world.admin();
  for (const auto& sample : kSamples) {
    CAPTURE(sample.plural);
    const std::string all = std::string("/api/v1/") + sample.plural;
    const auto made = world.expect(201, admin, "POST", all, sample.create);
    CHECK(made.json.find("version")->as_int() == 1);
    const auto id = made.text("id");
    CHECK(made.header("Location") == all + "/" + id);
    CHECK(made.header("Cache-Control") == "no-store");
    const auto one = all + "/" + sample.name;
    const auto got = world.expect(200, admin, "GET", one);
    CHECK(got.body == made.body);
    CHECK(world.expect(200, admin, "GET", all + "/" + id).body == made.body);
    bool listed = false;
    const auto list = world.expect(200, admin, "GET", all);
    for (const auto& item : list.json.find("items")->items())
      listed = listed || item == got.json;
    CHECK(listed);
    CHECK(list.json.find("revision")->as_int().value_or(0) > 0);

    // What was read can be written, and changes nothing but the version.
    const auto same = world.expect(200, admin, "PUT", one, json::to_text(as_body(got.json)));
    CHECK(as_body(same.json) == as_body(got.json));
    CHECK(same.json.find("version")->as_int() == 2);

    const auto patched = world.expect(200, admin, "PATCH", one, sample.patch, 2);
    CHECK(json::to_text(*patched.json.find(sample.field)) == sample.value);
    CHECK(world.expect(409, admin, "PATCH", one, sample.patch, 2).text("error") == "conflict");
    CHECK(world.expect(409, admin, "DELETE", one, "", 2).text("error") == "conflict");
    CHECK(world.expect(409, admin, "POST", all, sample.create).text("error") == "already_exists");
    CHECK(world.expect(404, admin, "GET", all + "/no-such").text("error") == "not_found");
  }
  for (auto sample = std::rbegin(kSamples); sample != std::rend(kSamples); ++sample) {
    const auto one = std::string("/api/v1/") + sample->plural + "/" + sample->name;
    world.expect(200, admin, "DELETE", one);
    world.expect(404, admin, "GET", one);
  }
  const auto events = world.events(audit::Kind::object_changed);
  CHECK(events.size() ==
        std::size(kSamples) * 4);  // created, replaced, patched, removed: each once, refused ones never
  for (const auto& event : events) {
    CHECK(event.user == "root@example.org");
    CHECK(event.request_id == "req1");
  }
}

TEST_CASE("a patch that changes nothing makes no version") {
  World world;
  const auto admin = world.admin();
  const char* one = "/api/v1/servers/s";
  world.expect(201, admin, "POST", "/api/v1/servers", R"({"name":"s","command":["x"],"labels":{"a":"b"}})");
  const auto version = [](const auto& answer) { return answer.json.find("version")->as_int(); };
  const auto changed = world.expect(200, admin, "PATCH", one, R"({"description":"x","labels":{"a":"c"}})");
  CHECK(version(changed) == 2);
  for (const char* same :
       {R"({"description":"x"})", R"({"labels":{"a":"c","gone":null}})", R"({"replicas":1})", "{}"}) {
    CAPTURE(same);
    CHECK(world.expect(200, admin, "PATCH", one, same).body == changed.body);
    CHECK(version(world.expect(200, admin, "PATCH", one, same, 2)) == 2);
    CHECK(world.expect(409, admin, "PATCH", one, same, 1).text("error") == "conflict");
  }
  CHECK(version(world.expect(200, admin, "PATCH", one, R"({"description":"y"})")) == 3);
}

TEST_CASE("names never change, and bodies hold no fields of the server's") {
  World world;
  const auto admin = world.admin();
  world.expect(201, admin, "POST", "/api/v1/projects", R"({"name":"demo","proxyModel":"none"})");
  CHECK(world.expect(400, admin, "PUT", "/api/v1/projects/demo", R"({"name":"other","proxyModel":"none"})")
            .text("message") == "name: cannot be changed");
  CHECK(world.expect(400, admin, "PATCH", "/api/v1/projects/demo", R"({"name":"other"})").text("message") ==
        "name: cannot be changed");
  CHECK(world.expect(400, admin, "PATCH", "/api/v1/projects/demo", R"({"name":null})").text("message") ==
        "name: is required");
  for (auto field : {"id", "version", "createdAt", "updatedAt", "system", "ownerId"}) {
    const auto extra = std::string(",\"") + field + "\":\"x\"}";
    CHECK(world.expect(400, admin, "POST", "/api/v1/projects", R"({"name":"p2","proxyModel":"none")" + extra)
              .text("error") == "invalid");
    CHECK(world.expect(400, admin, "PATCH", "/api/v1/projects/demo", R"({"prompt":"x")" + extra).text("error") ==
          "invalid");
  }
  for (auto body : {"", "{", "[]", "null", R"({"name":"a","name":"b","proxyModel":"none"})"})
    world.expect(400, admin, "POST", "/api/v1/projects", body);
  CHECK(world.expect(200, admin, "GET", "/api/v1/projects").json.find("items")->items().size() == 1);
  world.expect(400, admin, "GET", "/api/v1/projects?nope=1");
}

TEST_CASE("accepted fields come back as warnings") {
  World world;
  const auto admin = world.admin();
  const auto made =
      world.expect(201, admin, "POST", "/api/v1/projects", R"({"name":"demo","proxyModel":"none","gated":true})");
  REQUIRE(made.json.find("warnings") != nullptr);
  CHECK(made.json.find("warnings")->items().size() == 1);
  CHECK(made.json.find("gated") == nullptr);
}

TEST_CASE("lists show what the caller may see, in pages") {
  World world;
  const auto admin = world.admin();
  for (auto name : {"a", "b", "c", "d"})
    world.expect(201, admin, "POST", "/api/v1/servers",
                 std::string(R"({"externalUrl":"https://h/","name":")") + name + "\"}");
  const auto some = world.user(
      "some@example.org",
      {"role:view,resource:servers,name:b", "role:edit,resource:servers,name:d", "role:run,resource:servers,name:a"});
  const auto names = [](const Reply& reply) {
    std::string out;
    for (const auto& item : reply.json.find("items")->items())
      out += item.text("name");
    return out;
  };
  CHECK(names(world.expect(200, some, "GET", "/api/v1/servers")) == "bd");
  CHECK(world.expect(403, some, "GET", "/api/v1/projects").header("WWW-Authenticate") ==
        R"(Bearer realm="mcpctl", error="insufficient_scope", scope="view:projects")");
  const auto first = world.expect(200, admin, "GET", "/api/v1/servers?limit=3");
  CHECK(names(first) == "abc");
  const auto second = world.expect(200, admin, "GET", "/api/v1/servers?limit=3&cursor=" + first.text("cursor"));
  CHECK(names(second) == "d");
  CHECK(second.json.find("cursor") == nullptr);
  // A cursor tells nothing, and is of no use to others, for other lists, or when it was changed.
  const auto cursor = first.text("cursor");
  const auto inside = from_base64url(cursor);
  REQUIRE(inside.has_value());
  CHECK(inside->size() == 1 + crypto::kSealOverhead);
  CHECK(world.expect(200, admin, "GET", "/api/v1/servers?limit=3").text("cursor") != cursor);  // sealed anew
  auto changed = cursor;
  changed[5] = changed[5] == 'A' ? 'B' : 'A';
  for (const std::string& bad : {changed, to_base64url("c"), std::string("c"), std::string()})
    world.expect(400, admin, "GET", "/api/v1/servers?cursor=" + bad);
  world.expect(400, admin, "GET", "/api/v1/groups?cursor=" + cursor);
  world.expect(400, some, "GET", "/api/v1/servers?cursor=" + cursor);
  world.expect(400, admin, "GET", "/api/v1/servers?limit=0");
  world.expect(201, admin, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none","servers":["c","a"]})");
  CHECK(names(world.expect(200, admin, "GET", "/api/v1/servers?project=p")) == "ac");
  world.expect(403, some, "GET", "/api/v1/servers?project=p");
}

TEST_CASE("what may not be seen and what is not there look alike") {
  World world;
  const auto admin = world.admin();
  world.expect(201, admin, "POST", "/api/v1/servers", R"({"name":"real","externalUrl":"https://h/"})");
  const auto some = world.user("some@example.org", {"role:view,resource:servers,name:mine"});
  auto real = world.expect(403, some, "GET", "/api/v1/servers/real");
  auto missing = world.expect(403, some, "GET", "/api/v1/servers/none");
  CHECK(real.headers == missing.headers);
  CHECK(real.text("message") == "needs view:servers:real");
  CHECK(missing.text("message") == "needs view:servers:none");
  CHECK(world.expect(404, some, "GET", "/api/v1/servers/mine").text("error") == "not_found");
}

TEST_CASE("references hold what they refer to") {
  World world;
  const auto admin = world.admin();
  world.expect(201, admin, "POST", "/api/v1/secrets", R"({"name":"keys","data":{"k":"v"}})");
  world.expect(
      201, admin, "POST", "/api/v1/servers",
      R"({"name":"s","command":["x"],"env":[{"name":"A","valueFrom":{"secretRef":{"name":"keys","key":"k"}}},{"name":"B","valueFrom":{"secretRef":{"name":"keys","key":"l"}}}]})");
  world.expect(201, admin, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none","servers":["s"]})");
  CHECK(world.expect(409, admin, "DELETE", "/api/v1/servers/s").text("message").find("project \"p\" (servers)") !=
        std::string::npos);
  CHECK(world.expect(409, admin, "DELETE", "/api/v1/secrets/keys").text("message").find("server \"s\" (env)") !=
        std::string::npos);
  CHECK(world.expect(400, admin, "PATCH", "/api/v1/projects/p", R"({"servers":["s","gone"]})").text("message") ==
        "servers[1].server: there is no server \"gone\"");
  CHECK(world.expect(200, admin, "GET", "/api/v1/projects/p").json.find("version")->as_int() == 1);
  world.expect(200, admin, "PATCH", "/api/v1/projects/p", R"({"servers":[]})");
  world.expect(200, admin, "DELETE", "/api/v1/servers/s");
  world.expect(200, admin, "DELETE", "/api/v1/secrets/keys");
}

TEST_CASE("a deleted user leaves groups and roles, and a namesake inherits nothing") {
  World world;
  const auto admin = world.admin();
  world.expect(201, admin, "POST", "/api/v1/users", R"({"email":"bob@example.org"})");
  world.expect(201, admin, "POST", "/api/v1/groups",
               R"({"name":"ops","members":["bob@example.org","root@example.org"]})");
  world.expect(201, admin, "POST", "/api/v1/rbac",
               R"({"name":"r","subjects":["User:bob@example.org"],"roleBindings":["role:view,resource:servers"]})");
  world.expect(200, admin, "DELETE", "/api/v1/users/bob@example.org");
  const auto again = world.user("bob@example.org");
  CHECK(json::to_text(*world.expect(200, admin, "GET", "/api/v1/groups/ops").json.find("members")) ==
        R"(["root@example.org"])");
  CHECK(json::to_text(*world.expect(200, admin, "GET", "/api/v1/rbac/r").json.find("subjects")) == "[]");
  world.expect(403, again, "GET", "/api/v1/servers");
}

TEST_CASE("secrets are encrypted at rest, masked in answers, and revealed to editors who ask") {
  World world;
  const auto admin = world.admin();
  const auto made = world.expect(201, admin, "POST", "/api/v1/secrets",
                                 R"({"name":"keys","data":{"a":"planted-one","b":"planted-two"}})");
  CHECK(made.body.find("planted") == std::string::npos);
  CHECK(json::to_text(*made.json.find("data")) == R"({"a":"***","b":"***"})");
  const auto viewer = world.user("v@example.org", {"role:view,resource:secrets", "role:run,resource:secrets"});
  CHECK(world.expect(200, viewer, "GET", "/api/v1/secrets/keys").text("kind") == "secret");
  CHECK(world.expect(403, viewer, "GET", "/api/v1/secrets/keys?reveal=true").body.find("planted") == std::string::npos);
  CHECK(json::to_text(*world.expect(200, admin, "GET", "/api/v1/secrets/keys?reveal=true").json.find("data")) ==
        R"({"a":"planted-one","b":"planted-two"})");

  // The mask means "as it is"; other values replace; null removes.
  world.expect(200, admin, "PATCH", "/api/v1/secrets/keys", R"({"data":{"b":"planted-new","c":"planted-three"}})");
  world.expect(200, admin, "PUT", "/api/v1/secrets/keys", R"({"name":"keys","data":{"a":"***","b":"***","c":"***"}})");
  world.expect(200, admin, "PATCH", "/api/v1/secrets/keys", R"({"data":{"c":null}})");
  CHECK(json::to_text(*world.expect(200, admin, "GET", "/api/v1/secrets/keys?reveal=true").json.find("data")) ==
        R"({"a":"planted-one","b":"planted-new"})");
  CHECK(world.expect(400, admin, "PATCH", "/api/v1/secrets/keys", R"({"data":{"new":"***"}})")
            .text("message")
            .starts_with("data.new: is masked"));
  CHECK(world.expect(400, admin, "POST", "/api/v1/secrets", R"({"name":"k2","data":{"new":"***"}})")
            .text("message")
            .starts_with("data.new: is masked"));

  world.read([&](store::Tx& tx) -> Result<void> {
    MCPT_TRY(const auto object, tx.get("secret", "", "keys"));
    CHECK(object.doc.find("planted") == std::string::npos);
    MCPT_TRY(const auto value, world.control->reveal(tx, object.id, "a"));
    CHECK(value.reveal() == "planted-one");
    CHECK(world.control->reveal(tx, object.id, "zzz").error().status == Status::not_found);
    // A value moved to another key or another secret does not open.
    MCPT_TRY(const auto doc, json::parse(object.doc));
    const auto sealed = *doc.find("data")->find("a")->as_string();
    const auto& key = world.control->keys().secrets();
    CHECK(open_value_for_test(key, object.id, "b", sealed) == Status::corrupt);
    CHECK(open_value_for_test(key, "another", "a", sealed) == Status::corrupt);
    CHECK(open_value_for_test(key, object.id, "a", sealed) == Status::ok);
    return {};
  });
  for (const auto& event : world.events(audit::Kind::object_changed))
    CHECK(event.payload.find("planted") == std::string::npos);
}

TEST_CASE("the values of a server's environment are resolved for whoever starts it") {
  World world;
  const auto admin = world.admin();
  world.expect(201, admin, "POST", "/api/v1/secrets", R"({"name":"keys","data":{"k":"v1"}})");
  world.expect(
      201, admin, "POST", "/api/v1/servers",
      R"({"name":"s","command":["x"],"env":["A=plain",{"name":"B","valueFrom":{"secretRef":{"name":"keys","key":"k"}}}]})");
  world.expect(
      201, admin, "POST", "/api/v1/servers",
      R"({"name":"t","command":["x"],"env":[{"name":"B","valueFrom":{"secretRef":{"name":"keys","key":"none"}}}]})");
  world.read([&](store::Tx& tx) -> Result<void> {
    MCPT_TRY(const auto server, tx.get("server", "", "s"));
    CHECK(server.doc.find("keys") == std::string::npos);  // by id
    MCPT_TRY(const auto doc, json::parse(server.doc));
    MCPT_TRY(const auto values, world.control->resolve_values(tx, *doc.find("env")));
    REQUIRE(values.size() == 2);
    CHECK(values[0].first == "A");
    CHECK(values[0].second.reveal() == "plain");
    CHECK(values[1].second.reveal() == "v1");
    MCPT_TRY(const auto other, tx.get("server", "", "t"));
    MCPT_TRY(const auto other_doc, json::parse(other.doc));
    const auto missing = world.control->resolve_values(tx, *other_doc.find("env"));
    CHECK(missing.error().message == "B: secret \"keys\" has no key \"none\"");
    return {};
  });
}

TEST_CASE("conditions and flags that nobody looks at are refused") {
  World world;
  const auto root = world.admin();
  world.expect(201, root, "POST", "/api/v1/users", R"({"email":"u@example.org","password":"correct horse"})");
  world.expect(201, root, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none"})");
  const std::string token =
      world.expect(201, root, "POST", "/api/v1/mcptokens", R"({"name":"t","project":"p","ttl":"1h"})").text("id");
  world.expect(400, root, "POST", "/api/v1/groups", R"({"name":"g"})", 1);
  world.expect(400, root, "PUT", "/api/v1/users/u@example.org/password", R"({"password":"battery staple"})", 1);
  world.expect(400, root, "DELETE", "/api/v1/mcptokens/" + token, "", 1);
  world.expect(400, root, "POST", "/api/v1/mcptokens/" + token + "/rotate", "{}", 1);
  world.expect(400, root, "GET", "/api/v1/mcptokens/" + token, "", 1);
  CHECK(world.expect(200, root, "GET", "/api/v1/mcptokens/" + token).text("status") == "active");
  world.expect(200, root, "PATCH", "/api/v1/users/u@example.org", R"({"name":"U"})", 1);
  world.expect(409, root, "PATCH", "/api/v1/users/u@example.org", R"({"name":"V"})", 1);
  for (const std::string bad : {"purge=yes", "purge=1", "purge=TRUE"})
    world.expect(400, root, "DELETE", "/api/v1/mcptokens/" + token + "?" + bad);
  world.expect(400, root, "GET", "/api/v1/mcptokens?all=1");
  world.expect(400, root, "DELETE", "/api/v1/users/u@example.org?cascade=no");
  const auto refused = world.expect(400, root, "PATCH", "/api/v1/users/u@example.org", R"({"password":null})");
  CHECK(refused.text("message") == "password: cannot be taken away");
}

TEST_CASE("what is said twice in a list of people or rights is kept once") {
  World world;
  const auto root = world.admin();
  world.user("u@example.org");
  const auto group = world.expect(201, root, "POST", "/api/v1/groups",
                                  R"({"name":"g","members":["u@example.org","root@example.org","u@example.org"]})");
  CHECK(json::to_text(*group.json.find("members")) == R"(["u@example.org","root@example.org"])");
  const auto role = world.expect(
      201, root, "POST", "/api/v1/rbac",
      R"({"name":"r","subjects":["User:u@example.org","Group:g",{"kind":"User","name":"u@EXAMPLE.org"}],)"
      R"("roleBindings":["role:view,resource:servers",{"role":"view","resource":"server"},"action:logs"]})");
  CHECK(role.json.find("subjects")->items().size() == 2);
  CHECK(role.json.find("roleBindings")->items().size() == 2);
}

TEST_CASE("a definition can be changed after a token that it names is gone") {
  World world;
  const auto root = world.admin();
  world.expect(201, root, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none"})");
  const auto token = world.expect(201, root, "POST", "/api/v1/mcptokens", R"({"name":"t","project":"p","ttl":"1h"})");
  const auto subject = R"({"kind":"McpToken","name":")" + token.text("tokenSha") + "\"}";
  const auto body = [&](const std::string& subjects) {
    return R"({"name":"r","subjects":[)" + subjects + R"(],"roleBindings":["role:view,resource:servers"]})";
  };
  world.expect(201, root, "POST", "/api/v1/rbac", body(subject + R"(,"User:root@example.org")"));
  world.expect(200, root, "DELETE", "/api/v1/mcptokens/" + token.text("id") + "?purge=true");
  const auto changed = world.expect(200, root, "PATCH", "/api/v1/rbac/r", R"({"description":"x"})");
  CHECK(changed.json.find("subjects")->items().size() == 1);
  world.expect(400, root, "PUT", "/api/v1/rbac/r", body(subject));  // who names it again is told
}
