// A restore is no way round any right: what its caller could not write by hand is refused, all of it.
#include "unit/control/filled.h"

using namespace mcptoken;
using namespace mcptoken::control;
using namespace mcptoken::control::testing;

namespace {

using Rights = std::vector<std::string>;

Value backup_with(const std::string& objects) {
  return must(json::parse(R"({"format":1,"server":"1","createdAt":"2026-01-01T00:00:00Z","revision":1,"objects":[)" +
                          objects + "]}"));
}

constexpr auto kEditor = "role:edit,resource:*";
constexpr auto kRestore = "action:restore";

// `objects` are refused to whoever lacks `missing` of what is asked, and restored with it.
void needs(const std::string& objects, const Rights& others, const Rights& missing,
           const std::function<void(Filled&)>& prepare = {}) {
  CAPTURE(objects);
  Filled world;
  if (prepare) prepare(world);
  Rights rights = others;
  rights.push_back(kRestore);
  const auto weak = world.user("weak@example.org", rights);
  rights.insert(rights.end(), missing.begin(), missing.end());
  const auto strong = world.user("strong@example.org", rights);
  for (const std::string strategy : {R"("conflict":"overwrite")", R"("conflict":"overwrite","dryRun":true)"}) {
    const auto refused = restore(world, weak, backup_with(objects), strategy);
    CHECK_MESSAGE(refused.status == 403, refused.body);
  }
  const auto done = restore(world, strong, backup_with(objects), R"("conflict":"overwrite")");
  CHECK_MESSAGE(done.status == 200, done.body);
}

std::function<void(Filled&)> made(const std::string& where, const std::string& body) {
  return [=](Filled& world) { world.expect(201, world.root, "POST", "/api/v1/" + where, body); };
}

}  // namespace

TEST_CASE("restoring needs the operation, and the operation alone restores nothing") {
  Filled world;
  const auto all_but =
      world.user("a@example.org", {kEditor, "role:run,resource:*", "action:backup", "action:escalate"});
  CHECK(restore(world, all_but, backup_with("")).status == 403);
  const auto only = world.user("b@example.org", {kRestore});
  CHECK(restore(world, only, backup_with("")).status == 200);
  for (const auto* object :
       {R"({"kind":"group","name":"x"})", R"({"kind":"user","email":"x@example.org"})",
        R"({"kind":"secret","name":"x"})", R"({"kind":"server","name":"x","externalUrl":"https://e.org/"})",
        R"({"kind":"project","name":"x","proxyModel":"none"})", R"({"kind":"template","name":"x","command":["x"]})",
        R"({"kind":"proxymodel","name":"x"})", R"({"kind":"rbac","name":"x","subjects":[],"roleBindings":[]})"}) {
    CAPTURE(object);
    CHECK(restore(world, only, backup_with(object)).status == 403);
  }
}

TEST_CASE("nobody learns by restoring whether he has guessed what is here") {
  Filled world;
  world.fill();
  const auto root = world.root;
  world.expect(201, root, "POST", "/api/v1/secrets", R"({"name":"vault","data":{"pin":"1234"}})");
  const auto guess = [](const std::string& pin) {
    return backup_with(R"({"kind":"secret","name":"vault","data":{"pin":")" + pin + "\"}}");
  };
  const auto server = backup_with(R"({"kind":"server","name":"web","externalUrl":"https://guess.example.org/"})");
  for (const std::string more : {"", "role:view,resource:secrets", "role:create,resource:*"}) {
    CAPTURE(more);
    const auto rights = more.empty() ? Rights{kRestore} : Rights{kRestore, more};
    const auto who = world.user("g" + std::to_string(more.size()) + "@example.org", rights);
    for (const std::string strategy : {"skip", "fail", "overwrite"}) {
      CAPTURE(strategy);
      const auto with = "\"conflict\":\"" + strategy + "\"";
      const auto right = restore(world, who, guess("1234"), with), wrong = restore(world, who, guess("9999"), with);
      CHECK(right.status == 403);
      CHECK(right.status == wrong.status);
      CHECK(right.json.text("message") == wrong.json.text("message"));
      CHECK(restore(world, who, server, with).status == 403);
    }
  }
  const auto editor = world.user("e@example.org", {kRestore, "role:edit,resource:secrets"});
  CHECK(restore(world, editor, guess("1234"), R"("conflict":"skip")").status == 200);
}

TEST_CASE("the rights of every write hold for a restored one") {
  needs(R"({"kind":"group","name":"g","description":"x"})", {"role:create,resource:groups"},
        {"role:edit,resource:groups,name:g"}, made("groups", R"({"name":"g"})"));
  needs(R"({"kind":"prompt","name":"a","project":"p","content":"x"})", {"role:create,resource:prompts,name:q/*"},
        {"role:create,resource:prompts,name:p/a"}, made("projects", R"({"name":"p","proxyModel":"none"})"));
  needs(R"({"kind":"server","name":"s","command":["x"]})", {kEditor}, {"role:run,resource:servers,name:s"});
  needs(R"({"kind":"server","name":"s","packageName":"x@1"})", {kEditor}, {"role:run,resource:servers,name:s"});
  needs(R"({"kind":"server","name":"s","externalUrl":"https://e.org/","allowPrivate":true})", {kEditor},
        {"role:run,resource:servers,name:s"});
  // What starts something here is not replaced either.
  needs(R"({"kind":"server","name":"s","externalUrl":"https://e.org/"})", {kEditor},
        {"role:run,resource:servers,name:s"}, made("servers", R"({"name":"s","command":["x"]})"));
  const std::string uses =
      R"({"kind":"server","name":"s","externalUrl":"https://e.org/","headers":[{"name":"A","valueFrom":{"secretRef":{"name":"k","key":"v"}}}]})";
  needs(uses, {"role:edit,resource:servers"}, {"role:run,resource:secrets,name:k"},
        made("secrets", R"({"name":"k","data":{"v":"x"}})"));
  needs(R"({"kind":"project","name":"p","proxyModel":"none","servers":["s"]})", {"role:edit,resource:projects"},
        {"role:expose,resource:servers,name:s"}, made("servers", R"({"name":"s","externalUrl":"https://e.org/"})"));
  // Approving is editing, whoever may create the server.
  needs(R"({"kind":"server","name":"s","externalUrl":"https://e.org/","pin":true,"approvedTools":[{"tool":"t","digest":")" +
            std::string(64, 'a') + R"("}]})",
        {"role:create,resource:servers"}, {"role:edit,resource:servers,name:s"});
  needs(R"({"kind":"proxymodel","name":"m","stages":[{"type":"exec","config":{"command":["x"]}}]})", {kEditor},
        {"role:run,resource:proxymodels,name:m"});
  needs(R"({"kind":"rbac","name":"d","subjects":["User:weak@example.org"],"roleBindings":["action:logs"]})", {kEditor},
        {"action:logs"});
  needs(R"({"kind":"rbac","name":"d","subjects":["User:weak@example.org"],"roleBindings":["role:run,resource:*"]})",
        {kEditor}, {"action:escalate"});
  needs(R"({"kind":"group","name":"g","members":["weak@example.org"]})", {kEditor}, {"action:logs"}, [](Filled& world) {
    world.expect(201, world.root, "POST", "/api/v1/groups", R"({"name":"g"})");
    world.expect(201, world.root, "POST", "/api/v1/rbac",
                 R"({"name":"d","subjects":["Group:g"],"roleBindings":["action:logs"]})");
  });
}

TEST_CASE("another user's password comes back only through who holds what that user holds") {
  Filled there;
  there.fill();
  there.expect(201, there.root, "POST", "/api/v1/users",
               R"({"email":"boss@example.org","password":"the first password"})");
  Value backup = backup_of(there, there.root, kBackupPassword);
  Filled here(9);
  const std::string with = R"("conflict":"overwrite","password":")" + std::string(kBackupPassword) + "\"";
  CHECK(restore(here, here.root, backup, with).status == 200);
  here.expect(201, here.root, "POST", "/api/v1/rbac",
              R"({"name":"bosses","subjects":["User:boss@example.org"],"roleBindings":["action:audit-purge"]})");
  here.expect(200, here.root, "PATCH", "/api/v1/users/boss@example.org", R"({"password":"the second password"})");
  const auto weak = here.user("weak@example.org", {kEditor, "role:run,resource:*", kRestore});
  const auto refused = restore(here, weak, backup, with);
  CHECK(refused.status == 403);
  CHECK(refused.text("message").starts_with("user/boss@example.org: you do not hold"));
  here.expect(200, {}, "POST", "/api/v1/auth/login",
              R"({"email":"boss@example.org","password":"the second password"})");
  CHECK(item(restore(here, here.root, backup, with), "user/boss@example.org") == "updated (differs in password)");
  here.expect(200, {}, "POST", "/api/v1/auth/login", R"({"email":"boss@example.org","password":"the first password"})");
}

TEST_CASE("a token comes back within the rights of who restores it, and of nobody whom that cannot stand for") {
  Filled there;
  there.fill();
  Value backup = backup_of(there, there.root);
  auto& objects = backup.find("objects")->items();
  std::erase_if(objects,
                [](const Value& one) { return one.text("kind") != "mcptoken" || one.text("name") != "agent"; });
  const Rights enough = {kRestore, "role:view,resource:projects,name:p", "role:create,resource:mcptokens,name:p/agent",
                         "role:view,resource:servers,name:web", "role:create,resource:promptrequests"};
  for (size_t missing = 1; missing < enough.size(); missing++) {
    CAPTURE(enough[missing]);
    Filled here(9);
    here.expect(201, here.root, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none"})");
    Rights rights = enough;
    rights.erase(rights.begin() + static_cast<std::ptrdiff_t>(missing));
    const auto who = here.user("weak@example.org", rights);
    Value own = backup;
    object_in(own, "mcptoken", "agent")->set("owner", Value::string("weak@example.org"));
    const auto refused = restore(here, who, own);
    CHECK_MESSAGE(refused.status == 403, refused.body);
  }
  Filled here(9);
  here.expect(201, here.root, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none"})");
  const auto who = here.user("weak@example.org", enough);
  // Its owner is an administrator: the token would act in that name.
  const auto refused = restore(here, who, backup);
  CHECK(refused.status == 403);
  CHECK(refused.text("message").starts_with("mcptoken/p/agent: you do not hold"));
  Value own = backup;
  object_in(own, "mcptoken", "agent")->set("owner", Value::string("weak@example.org"));
  const auto done = restore(here, who, own);
  CHECK_MESSAGE(done.status == 200, done.body);
}

TEST_CASE("revoking through a backup needs the right to revoke") {
  Filled there, here(9);
  there.fill();
  CHECK(restore(here, here.root, backup_of(there, there.root)).status == 200);
  there.expect(200, there.root, "DELETE", "/api/v1/mcptokens/agent?project=p");
  Value backup = backup_of(there, there.root);
  std::erase_if(backup.find("objects")->items(), [](const Value& one) { return one.text("kind") != "mcptoken"; });
  const auto weak =
      here.user("weak@example.org", {kRestore, "role:create,resource:mcptokens", "role:view,resource:projects"});
  CHECK(restore(here, weak, backup, R"("conflict":"skip")").status == 403);
  const auto strong = here.user("strong@example.org", {kRestore, "role:delete,resource:mcptokens,name:p/agent"});
  CHECK(item(restore(here, strong, backup, R"("conflict":"skip")"), "mcptoken/p/agent") ==
        "updated (is revoked in the backup)");
}

TEST_CASE("a token restores and backs up nothing, whatever it holds") {
  Filled world;
  world.fill();
  const auto minted = world.expect(
      201, world.root, "POST", "/api/v1/mcptokens",
      R"({"name":"strong","project":"p","ttl":"1h","bindings":["role:edit,resource:*","action:backup","action:restore"]})");
  const auto token = world.bearer(minted.text("token"));
  world.expect(403, token, "GET", "/api/v1/backup");
  world.expect(403, token, "POST", "/api/v1/backup");
  CHECK(restore(world, token, backup_with("")).status == 403);
}
