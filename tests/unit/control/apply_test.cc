// Applying documents: everything that there is comes back unchanged, all or nothing, and no way round any right.
#include "unit/control/filled.h"

using namespace mcptoken;
using namespace mcptoken::control;
using namespace mcptoken::control::testing;

namespace {

constexpr auto kApply = "/api/v1/apply";
constexpr auto kTry = "/api/v1/apply?dryRun=true";

std::string documents(const std::string& objects, bool show = false) {
  return R"({"objects":[)" + objects + (show ? R"(],"show":true})" : "]}");
}

Reply apply(World& world, const rbac::Principal& who, const std::string& objects) {
  return world.call(who, "POST", kApply, documents(objects));
}

// Every object as lists answer them, but for what belongs to a token.
std::string everything(World& world, const rbac::Principal& who) {
  std::string all;
  for (const auto& kind : kinds()) {
    if (kind.name == "instance") continue;
    const auto list = world.expect(200, who, "GET", "/api/v1/" + std::string(kind.plural));
    for (const auto& object : list.json.find("items")->items()) {
      if (!object.find("system")) all += (all.empty() ? "" : ",") + json::to_text(object);
    }
  }
  return all;
}

// The stored documents and their versions: what a refused request must not change.
std::string state(World& world) {
  std::string out;
  world.read([&](store::Tx& tx) -> Result<void> {
    for (const auto& kind : kinds()) {
      MCPT_TRY(const auto objects, tx.list(kind.name));
      for (const auto& object : objects)
        out += object.id + " " + std::to_string(object.version) + object.doc + "\n";
    }
    MCPT_TRY(const auto tokens, tx.list_tokens());
    for (const auto& token : tokens)
      out += token.id + std::string(store::to_text(token.state(tx.now_ms()))) + "\n";
    return {};
  });
  return out;
}

const Value& first_item(const Reply& reply) {
  const auto* items = reply.json.find("items");
  REQUIRE_MESSAGE((items && !items->items().empty()), reply.body);
  return items->items()[0];
}

std::string effect(const Reply& reply) { return first_item(reply).text("effect"); }

}  // namespace

TEST_CASE("apply: an object of every kind with every field comes back unchanged") {
  Filled world;
  world.fill();
  const auto before = state(world);
  const auto all = everything(world, world.root);
  for (const auto* path : {kApply, kTry}) {
    const auto reply = world.expect(200, world.root, "POST", path, documents(all));
    for (const auto& item : reply.json.find("items")->items())
      CHECK_MESSAGE(item.text("effect") == "unchanged", json::to_text(item));
    CHECK(reply.json.find("items")->items().size() > 20);
  }
  CHECK(state(world) == before);
}

TEST_CASE("apply: what is new is made in the order of its references, and one bad document refuses all") {
  World world;
  const auto root = world.admin();
  // Backwards, on purpose.
  const std::string objects =
      R"({"kind":"mcptoken","name":"t","project":"p","bindings":["role:view,resource:servers"]},)"
      R"({"kind":"prompt","name":"a","project":"p","content":"x"},)"
      R"({"kind":"project","name":"p","proxyModel":"none","servers":["s"]},)"
      R"({"kind":"server","name":"s","externalUrl":"https://e.org/","headers":[{"name":"A","valueFrom":{"secretRef":{"name":"k","key":"v"}}}]},)"
      R"({"kind":"secret","name":"k","data":{"v":"x"}})";
  const auto empty = state(world);
  const auto bad =
      world.expect(400, root, "POST", kApply, documents(objects + R"(,{"kind":"group","name":"g","frob":1})"));
  CHECK(bad.text("message") == "group/g: frob: unknown field");
  CHECK(state(world) == empty);
  const auto tried = world.expect(200, root, "POST", kTry, documents(objects));
  CHECK(tried.body.find("mcpctl_pat_") != tried.body.npos);  // its prefix
  CHECK(tried.body.find("\"token\"") == tried.body.npos);    // but no token that opens nothing
  CHECK(state(world) == empty);
  const auto done = world.expect(200, root, "POST", kApply, documents(objects));
  CHECK(done.json.find("counts")->find("created")->as_int() == 5);
  CHECK(first_item(done).text("kind") == "secret");
  const auto& minted = *done.json.find("items")->items().back().find("minted");
  CHECK(world.call(world.bearer(minted.text("token")), "GET", "/api/v1/mcptokens/introspect").status == 200);
  CHECK(world.expect(400, root, "POST", kApply, documents(R"({"kind":"group","name":"g"},{"kind":"group","name":"g"})"))
            .text("message") == "group/g: is there twice");
}

TEST_CASE("apply: a file says all of the object") {
  World world;
  const auto root = world.admin();
  world.expect(201, root, "POST", "/api/v1/servers", R"({"name":"s","externalUrl":"https://e.org/","replicas":0})");
  const auto document = R"({"kind":"server","name":"s","externalUrl":"https://e.org/","description":"d"})";
  auto reply = world.expect(200, root, "POST", kApply, documents(document));
  CHECK(effect(reply) == "updated");
  CHECK(first_item(reply).text("reason") == "differs in replicas, description");
  CHECK(world.expect(200, root, "GET", "/api/v1/servers/s").json.find("replicas")->as_int() == 1);
  CHECK(effect(world.expect(200, root, "POST", kApply, documents(document))) == "unchanged");
}

TEST_CASE("apply: a version must be the present one") {
  World world;
  const auto root = world.admin();
  const auto with = [](const std::string& version) {
    return documents(R"({"kind":"group","name":"g","description":"x","version":)" + version + "}");
  };
  CHECK(world.expect(409, root, "POST", kApply, with("1")).text("message").find("is not there any more") !=
        std::string::npos);
  world.expect(201, root, "POST", "/api/v1/groups", R"({"name":"g"})");
  CHECK(world.expect(409, root, "POST", kApply, with("2")).text("error") == "conflict");
  CHECK(effect(world.expect(200, root, "POST", kApply, with("1"))) == "updated");
  world.expect(409, root, "POST", kApply, with("1"));
}

TEST_CASE("apply: tokens never change; one that is active is skipped, one that ended gives way") {
  World world;
  const auto root = world.admin();
  world.expect(201, root, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none"})");
  const std::string wish =
      R"({"kind":"mcptoken","name":"t","project":"p","ttl":"1h","bindings":["role:view,resource:servers"]})";
  const auto made = world.expect(200, root, "POST", kApply, documents(wish));
  CHECK(effect(made) == "created");
  const auto again = world.expect(200, root, "POST", kApply, documents(wish));
  CHECK(effect(again) == "skipped");
  CHECK(first_item(again).text("reason") == "already active");
  CHECK(again.body.find("minted") == again.body.npos);
  // More rights in the file do not become more rights of the token.
  const auto wider =
      apply(world, root, R"({"kind":"mcptoken","name":"t","project":"p","bindings":["role:run,resource:tools"]})");
  CHECK(effect(wider) == "skipped");
  const auto forced = apply(world, root, R"({"kind":"mcptoken","name":"t","project":"p","ttl":"1h","force":true})");
  CHECK(effect(forced) == "updated");
  world.clock.now += 2 * 3600'000;
  CHECK(effect(world.expect(200, root, "POST", kApply, documents(wish))) == "created");
}

TEST_CASE("apply: passwords are hashed for whoever may set them, and the same one changes nothing") {
  World world;
  const auto root = world.admin();
  const std::string user = R"({"kind":"user","email":"a@example.org","password":"correct horse battery"})";
  world.expect(403, world.user("weak@example.org", {"role:view,resource:users"}), "POST", kApply, documents(user));
  CHECK(world.hashes == 0);
  CHECK(effect(world.expect(200, root, "POST", kTry, documents(user))) == "created");
  world.expect(404, root, "GET", "/api/v1/users/a@example.org");
  CHECK(effect(world.expect(200, root, "POST", kApply, documents(user))) == "created");
  const auto login = [&](const std::string& password) {
    return world.call({}, "POST", "/api/v1/auth/login", R"({"email":"a@example.org","password":")" + password + "\"}")
        .status;
  };
  CHECK(login("correct horse battery") == 200);
  CHECK(effect(world.expect(200, root, "POST", kApply, documents(user))) == "unchanged");
  const auto changed =
      apply(world, root, R"({"kind":"user","email":"a@example.org","password":"another long password"})");
  CHECK(effect(changed) == "updated");
  CHECK(first_item(changed).text("reason") == "differs in password");
  CHECK(login("correct horse battery") == 401);
  CHECK(login("another long password") == 200);
  std::string many;
  for (int i = 0; i < 17; i++)
    many += (i ? "," : "") + std::string(R"({"kind":"user","password":"long enough","email":"u)") + std::to_string(i) +
            "@e.org\"}";
  world.expect(400, root, "POST", kApply, documents(many));
}

TEST_CASE("apply: secrets are compared for their editor alone, and never shown") {
  World world;
  const auto root = world.admin();
  world.expect(201, root, "POST", "/api/v1/secrets", R"({"name":"k","data":{"a":"planted","b":"other"}})");
  const auto secret = [](const std::string& a) {
    return R"({"kind":"secret","name":"k","data":{"a":")" + a + R"(","b":"***"}})";
  };
  CHECK(effect(apply(world, root, secret("planted"))) == "unchanged");
  CHECK(effect(apply(world, root, secret("***"))) == "unchanged");
  const auto shown = world.expect(200, root, "POST", kTry, documents(secret("fresh"), true));
  CHECK(shown.body.find("planted") == shown.body.npos);
  CHECK(shown.body.find("fresh") == shown.body.npos);
  CHECK(first_item(shown).find("after")->find("data")->text("a") == "*** (changed)");
  CHECK(first_item(shown).find("after")->find("data")->text("b") == "***");
  // Who may only view learns nothing by guessing.
  const auto viewer = world.user("v@example.org", {"role:view,resource:secrets"});
  CHECK(effect(apply(world, viewer, secret("***"))) == "unchanged");
  CHECK(apply(world, viewer, secret("planted")).body == apply(world, viewer, secret("wrong")).body);
  CHECK(apply(world, viewer, secret("planted")).status == 403);
  CHECK(apply(world, root, R"({"kind":"secret","name":"new","data":{"a":"***"}})").status == 400);
}

TEST_CASE("CE-01 to CE-18 by apply: a token above its maker's rights refuses the whole") {
  World world;
  const auto root = world.admin();
  world.expect(201, root, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none"})");
  const std::vector<std::string> mints = {"role:view,resource:projects", "role:create,resource:mcptokens",
                                          "role:create,resource:groups"};
  const auto with = [&](std::vector<std::string> rights) {
    rights.insert(rights.end(), mints.begin(), mints.end());
    static int number = 0;
    return world.user("u" + std::to_string(number++) + "@example.org", rights);
  };
  struct Case {
    std::vector<std::string> held;
    std::string asked;
    int status;
  };
  const Case cases[] = {
      {{"role:view,resource:servers"}, R"("bindings":["role:edit,resource:servers"])", 403},                // CE-01
      {{"role:edit,resource:servers,name:a"}, R"("bindings":["role:edit,resource:servers"])", 403},         // CE-02
      {{"role:edit,resource:servers,name:a"}, R"("bindings":["role:edit,resource:servers,name:b"])", 403},  // CE-03
      {{"role:view,resource:servers,name:a"},
       R"("bindings":[{"role":"view","resource":"servers","name":""}])",
       400},  // CE-04
      {{"role:view,resource:servers,name:a"}, R"("bindings":[{"role":"view","resource":"servers","name":null}])", 400},
      {{"role:edit,resource:servers", "role:edit,resource:secrets"},
       R"("bindings":["role:edit,resource:*"])",
       403},                                                                            // CE-05
      {{"role:view,resource:*"}, R"("bindings":["role:edit,resource:servers"])", 403},  // CE-06
      {{"role:view,resource:servers", "role:create,resource:servers"},
       R"("bindings":["role:edit,resource:servers"])",
       403},                                                                             // CE-07
      {{"role:edit,resource:*"}, R"("bindings":["role:owner,resource:servers"])", 400},  // CE-08
      {{"role:edit,resource:*"}, R"("bindings":["role:,resource:servers"])", 400},
      {{"role:view,resource:servers"},
       R"("bindings":["role:view,resource:servers","action:logs"])",
       403},  // CE-09 CE-29
      {{"role:view,resource:servers"},
       R"("rbacMode":"clone","bindings":["role:edit,resource:servers"])",
       403},                                                                                      // CE-11
      {{}, R"("owner":"root@example.org","ownerId":"x")", 400},                                   // CE-15
      {{}, R"("hash":"x")", 400},                                                                 // CE-16
      {{}, R"("bindings":[],"bindings":["role:edit,resource:*"])", 400},                          // CE-17
      {{"role:view,resource:servers"}, R"("bindings":["role:edit,resource:*"])", 403},            // CE-18
      {{"role:edit,resource:*"}, R"("bindings":[{"action":"logs","resource":"servers"}])", 400},  // CE-30
      {{"role:view,resource:servers,name:a"}, R"("bindings":["role:view,resource:srv"])", 403},   // CE-31
      {{"role:edit,resource:*"}, R"("bindings":["role:view,resource:Servers"])", 400},            // CE-32
      {{"role:edit,resource:*"}, "\"bindings\":[\"role:view,resource:servers\u00a0\"]", 400},     // CE-33
  };
  for (const auto& one : cases) {
    CAPTURE(one.asked);
    const auto who = with(one.held);
    const auto before = state(world);
    // A good document in front does not stay.
    const auto objects =
        R"({"kind":"group","name":"harmless"},{"kind":"mcptoken","name":"t","project":"p",)" + one.asked + "}";
    for (const auto* path : {kApply, kTry}) {
      const auto reply = world.call(who, "POST", path, documents(objects));
      CHECK_MESSAGE(reply.status == one.status, reply.body);
    }
    CHECK(state(world) == before);
  }
  // CE-14: a hidden project is like a missing one.
  const auto blind = world.user("blind@example.org", {"role:create,resource:mcptokens"});
  const auto hidden = apply(world, blind, R"({"kind":"mcptoken","name":"t","project":"p"})");
  const auto missing = apply(world, blind, R"({"kind":"mcptoken","name":"t","project":"q"})");
  CHECK(hidden.status == 403);
  CHECK(missing.status == 403);
}

TEST_CASE("CE-19 to CE-26 by apply: project tokens apply nothing") {
  Filled world;
  world.fill();
  const auto token = world.bearer(world.raw);
  const auto before = state(world);
  for (const auto* object : {R"({"kind":"mcptoken","name":"child","project":"p"})", R"({"kind":"group","name":"g"})",
                             R"({"kind":"promptrequest","name":"x","project":"p","content":"x"})", ""})
    CHECK(world.call(token, "POST", kApply, documents(object)).status == 403);
  CHECK(state(world) == before);
}

TEST_CASE("CE-45 to CE-50 by apply: no definition or group hands out what its writer does not hold") {
  World world;
  const auto root = world.admin();
  world.expect(201, root, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none"})");
  const auto token = world.expect(201, root, "POST", "/api/v1/mcptokens",
                                  R"({"name":"t","project":"p","bindings":["role:view,resource:servers"]})");
  world.expect(201, root, "POST", "/api/v1/groups", R"({"name":"strong"})");
  world.expect(201, root, "POST", "/api/v1/rbac",
               R"({"name":"of-strong","subjects":["Group:strong"],"roleBindings":["role:edit,resource:servers"]})");
  const auto writer = world.user("w@example.org", {"role:edit,resource:rbac", "role:edit,resource:groups"});
  const auto before = state(world);
  const auto own = "mcptoken-" + token.text("id");
  const std::string grant = R"("roleBindings":["role:edit,resource:servers"]})";
  for (const auto& object : {
           R"({"kind":"rbac","name":")" + own + R"(","subjects":[],)" + grant,                                 // CE-45
           R"({"kind":"rbac","name":"x","subjects":["McpToken:)" + token.text("tokenSha") + R"("],)" + grant,  // CE-47
           R"({"kind":"rbac","name":"x","subjects":["User:w@example.org"],)" + grant,                          // CE-48
           R"({"kind":"rbac","name":"of-strong","subjects":["Group:strong","User:w@example.org"],)" + grant,   // CE-46
           std::string(R"({"kind":"group","name":"strong","members":["w@example.org"]})"),
       }) {
    CAPTURE(object);
    const auto reply = world.call(writer, "POST", kApply, documents(R"({"kind":"group","name":"good"},)" + object));
    CHECK_MESSAGE((reply.status == 403 || object.find(own) != object.npos), reply.body);
    CHECK(reply.status >= 400);
    CHECK(state(world) == before);
  }
  // CE-50: what was exported is the same, and still no less than its writer holds.
  const std::string exported = R"({"kind":"rbac","name":"of-strong","subjects":["Group:strong"],)" + grant;
  CHECK(effect(apply(world, writer, exported)) == "unchanged");
  world.expect(200, root, "DELETE", "/api/v1/rbac/of-strong");
  CHECK(apply(world, writer, exported).status == 403);
}

TEST_CASE("apply: tokens that have ended stay so, as answers and as backups write them") {
  World world;
  const auto root = world.admin();
  world.expect(201, root, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none"})");
  const auto mint = [&](const std::string& name, const std::string& ttl) {
    return world.expect(201, root, "POST", "/api/v1/mcptokens",
                        R"({"name":")" + name + R"(","project":"p","ttl":")" + ttl + "\"}");
  };
  world.expect(200, root, "DELETE", "/api/v1/mcptokens/" + mint("gone", "1h").text("id"));
  world.expect(201, root, "POST", "/api/v1/mcptokens/" + mint("turned", "3h").text("id") + "/rotate",
               R"({"grace":"2h"})");
  mint("short", "1h");
  world.clock.now += 90 * 60'000;
  const auto before = state(world);
  const auto reasons = [&](const std::vector<Value>& objects) {
    std::string list;
    for (const auto& object : objects) {
      if (object.text("kind") == "mcptoken") list += (list.empty() ? "" : ",") + json::to_text(object);
    }
    const auto reply = world.expect(200, root, "POST", kApply, documents(list));
    CHECK(reply.body.find("minted") == reply.body.npos);
    std::map<std::string, std::string> out;
    for (const auto& item : reply.json.find("items")->items()) {
      CHECK(item.text("effect") == "unchanged");
      out[item.text("name")] += "[" + item.text("reason").substr(0, 14) + "]";
    }
    return out;
  };
  const auto listed = world.expect(200, root, "GET", "/api/v1/mcptokens?all=true").json.find("items")->items();
  const auto backup = world.expect(200, root, "GET", "/api/v1/backup").json.find("objects")->items();
  for (const auto& objects : {listed, backup}) {
    auto told = reasons(objects);
    CHECK(told["p/gone"] == "[it was revoked]");
    CHECK(told["p/short"] == "[it has expired]");
    CHECK((told["p/turned"] == "[it was revoked][]" || told["p/turned"] == "[][it was revoked]"));
  }
  CHECK(state(world) == before);
}

TEST_CASE("apply: who may only make tokens is told nothing of one that is there") {
  World world;
  const auto root = world.admin();
  world.expect(201, root, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none"})");
  const auto made = world.expect(
      201, root, "POST", "/api/v1/mcptokens",
      R"({"name":"t","project":"p","ttl":"1h","description":"hush","bindings":["role:view,resource:servers"]})");
  const auto maker = world.user("m@example.org", {"role:view,resource:projects", "role:create,resource:mcptokens"});
  auto guess = made.json;
  guess.erase("token");
  const std::string bodies[] = {R"({"kind":"mcptoken","name":"t","project":"p","ttl":"1h"})", json::to_text(guess)};
  for (const auto& body : bodies) {
    const auto reply = world.expect(200, maker, "POST", kApply, documents(body, true));
    CHECK(effect(reply) == "skipped");
    CHECK(first_item(reply).text("reason") == "already active");
    CHECK(first_item(reply).find("before") == nullptr);
    CHECK(first_item(reply).find("after") == nullptr);
    CHECK(reply.body.find("hush") == reply.body.npos);
    CHECK(reply.body.find(made.text("tokenSha")) == reply.body.npos);
  }
  CHECK(effect(world.expect(200, root, "POST", kApply, documents(json::to_text(guess), true))) == "unchanged");
}

TEST_CASE("apply: what is hidden looks like what is not there") {
  World world;
  const auto root = world.admin();
  world.expect(201, root, "POST", "/api/v1/groups", R"({"name":"here"})");
  const auto nobody = world.user("n@example.org", {"role:view,resource:servers"});
  auto there = apply(world, nobody, R"({"kind":"group","name":"here"})");
  auto missing = apply(world, nobody, R"({"kind":"group","name":"gone"})");
  CHECK(there.status == 403);
  CHECK(missing.status == 403);
  CHECK(there.text("message") == "group/here: needs create:groups:here");
  CHECK(missing.text("message") == "group/gone: needs create:groups:gone");
  for (const std::string name : {"here", "gone"}) {
    const auto guessed = apply(world, nobody, R"({"kind":"group","name":")" + name + R"(","version":9})");
    CHECK(guessed.status == 403);
    CHECK(guessed.text("message") == "group/" + name + ": needs create:groups:" + name);
  }
}

TEST_CASE("dry runs of single writes leave nothing, and are refused where they have no meaning") {
  World world;
  const auto root = world.admin();
  world.expect(201, root, "POST", "/api/v1/groups", R"({"name":"g"})");
  world.expect(201, root, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none"})");
  const auto before = state(world);
  const auto events = world.events(audit::Kind::object_changed).size();
  world.expect(201, root, "POST", "/api/v1/groups?dryRun=true", R"({"name":"other"})");
  CHECK(
      world.expect(200, root, "PATCH", "/api/v1/groups/g?dryRun=true", R"({"description":"x"})").text("description") ==
      "x");
  world.expect(200, root, "DELETE", "/api/v1/groups/g?dryRun=true");
  const auto token = world.expect(201, root, "POST", "/api/v1/mcptokens?dryRun=true", R"({"name":"t","project":"p"})");
  CHECK(token.json.find("token") == nullptr);
  world.expect(201, root, "POST", "/api/v1/users?dryRun=true", R"({"email":"x@example.org","password":"long enough"})");
  world.expect(403, world.user("weak@example.org"), "POST", "/api/v1/groups?dryRun=true", R"({"name":"other"})");
  CHECK(world.events(audit::Kind::object_changed).size() == events);
  world.expect(200, root, "DELETE", "/api/v1/users/weak@example.org");
  CHECK(state(world).size() == before.size());
  CHECK(world.call(root, "GET", "/api/v1/groups?dryRun=true").status == 400);
  CHECK(world.call({}, "POST", "/api/v1/auth/login?dryRun=true", R"({"email":"a@b.c","password":"x"})").status != 200);
}
