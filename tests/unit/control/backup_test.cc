// What is in a backup, and that restoring it in an empty world brings all of it back.
#include <algorithm>

#include "unit/control/filled.h"

using namespace mcptoken;
using namespace mcptoken::control;
using namespace mcptoken::control::testing;

TEST_CASE("a backup holds every field of every kind") {
  Filled world;
  world.fill();
  const auto backup = backup_of(world, world.root, kBackupPassword);
  CHECK(*backup.find("format")->as_int() == 1);
  CHECK(backup.text("server") == "1.2.3");
  CHECK(backup.find("omitted")->items().empty());
  for (const auto& kind : kinds()) {
    if (kind.is_virtual && kind.name != "mcptoken") continue;
    for (const auto& field : kind.fields) {
      if (field.write_only || field.shape == Shape::accepted || field.name == "status") continue;
      CAPTURE(kind.name);
      CAPTURE(field.name);
      const auto& objects = backup.find("objects")->items();
      CHECK(std::any_of(objects.begin(), objects.end(), [&](const Value& object) {
        return object.text("kind") == kind.name && object.find(field.name);
      }));
    }
  }
}

TEST_CASE("a sealed backup restored with another master key is the same backup") {
  Filled there;
  there.fill();
  const auto backup = backup_of(there, there.root, kBackupPassword);
  Filled here(9);
  here.clock.now = there.clock.now + 1000;
  const auto reply = restore(here, here.root, backup, R"("password":")" + std::string(kBackupPassword) + "\"");
  REQUIRE_MESSAGE(reply.status == 200, reply.body);
  CHECK(count(reply, "conflict") == 0);
  CHECK(item(reply, "server/local") == "created");
  const auto again = backup_of(here, here.root, kBackupPassword);
  CHECK(contents(again) == contents(backup));

  // The values and the passwords came with it, under the other key.
  const auto secret = here.expect(200, here.root, "GET", "/api/v1/secrets/keys?reveal=true");
  CHECK(secret.json.find("data")->text("k") == kSecretValue);
  here.expect(200, {}, "POST", "/api/v1/auth/login",
              R"({"email":"ada@example.org","password":"correct horse battery"})");
  // The token works as it did.
  const auto token = here.bearer(there.raw);
  CHECK(here.expect(200, token, "GET", "/api/v1/mcptokens/introspect").text("tokenName") == "agent");
  CHECK(here.expect(200, token, "GET", "/api/v1/auth/whoami").json.find("permissions")->items() ==
        there.expect(200, there.bearer(there.raw), "GET", "/api/v1/auth/whoami").json.find("permissions")->items());
  // Restoring it once more changes nothing.
  const auto second = restore(here, here.root, backup, R"("password":")" + std::string(kBackupPassword) + "\"");
  CHECK(second.status == 200);
  CHECK(count(second, "unchanged") == static_cast<int64_t>(backup.find("objects")->items().size()));
}

TEST_CASE("nothing secret is outside of the sealed part, and without a password it is not there and said so") {
  Filled world;
  world.fill();
  const auto sealed = world.expect(200, world.root, "POST", "/api/v1/backup",
                                   R"({"password":")" + std::string(kBackupPassword) + "\"}");
  CHECK(sealed.header("Cache-Control") == "no-store");
  const auto open = world.expect(200, world.root, "GET", "/api/v1/backup");
  for (const auto* body : {&sealed.body, &open.body}) {
    for (const auto& word :
         {std::string(kSecretValue), std::string("$argon2id"), world.raw, std::string(kBackupPassword)})
      CHECK(body->find(word) == body->npos);
  }
  CHECK(open.json.find("sealed") == nullptr);
  CHECK(json::to_text(*open.json.find("omitted")) ==
        R"([{"kind":"user","name":"ada@example.org","what":"password","why":"the backup has no password"},)"
        R"({"kind":"secret","name":"keys","what":"values","why":"the backup has no password"}])");

  Filled here(9);
  const auto reply = restore(here, here.root, open.json);
  REQUIRE_MESSAGE(reply.status == 200, reply.body);
  CHECK(item(reply, "secret/keys") == "created (without the values of k, other)");
  CHECK(json::to_text(*here.expect(200, here.root, "GET", "/api/v1/secrets/keys").json.find("data")) == "{}");
  // Where the values are, they stay.
  const auto back = restore(world, world.root, open.json, R"("conflict":"overwrite")");
  CHECK(item(back, "secret/keys") == "unchanged");
  CHECK(world.expect(200, world.root, "GET", "/api/v1/secrets/keys?reveal=true").json.find("data")->text("k") ==
        kSecretValue);
}

TEST_CASE("the operation opens nothing that its holder may not view or reveal") {
  Filled world;
  world.fill();
  const auto nobody = world.user("n@example.org", {"role:edit,resource:*", "role:run,resource:*"});
  world.expect(403, nobody, "GET", "/api/v1/backup");
  CHECK(world.hashes == 1);  // of ada's password
  world.expect(403, nobody, "POST", "/api/v1/backup", R"({"password":"long enough"})");
  CHECK(world.hashes == 1);

  const auto keeper = world.user("k@example.org", {"action:backup", "role:view,resource:secrets",
                                                   "role:view,resource:users", "role:view,resource:servers,name:web"});
  const auto backup = backup_of(world, keeper, kBackupPassword);
  CHECK(object_in(backup, "server", "web") != nullptr);
  CHECK(object_in(backup, "server", "local") == nullptr);
  CHECK(object_in(backup, "mcptoken", "agent") == nullptr);
  const auto omitted = json::to_text(*backup.find("omitted"));
  CHECK(omitted.find(R"({"kind":"server","what":"3 objects","why":"you may not view them"})") != omitted.npos);
  CHECK(omitted.find(R"({"kind":"secret","name":"keys","what":"values","why":"you may not reveal or set it"})") !=
        omitted.npos);
  CHECK(omitted.find(
            R"({"kind":"user","name":"ada@example.org","what":"password","why":"you may not reveal or set it"})") !=
        omitted.npos);
  Filled here(9);
  const auto opened = restore(here, here.root, backup, R"("password":")" + std::string(kBackupPassword) + "\"");
  CHECK(item(opened, "secret/keys") == "created (without the values of k, other)");
}

TEST_CASE("a backup is in an order in which it can be written, whatever names it has") {
  Filled world;
  world.fill();
  const auto backup = backup_of(world, world.root);
  std::vector<std::string> order;
  for (const auto& object : backup.find("objects")->items())
    order.push_back(object.text("kind") + "/" + object.text(object.text("kind") == "user" ? "email" : "name"));
  const auto at = [&](const std::string& name) { return std::find(order.begin(), order.end(), name) - order.begin(); };
  CHECK(at("user/ada@example.org") < at("group/team"));
  CHECK(at("secret/keys") < at("server/local"));
  CHECK(at("server/web") < at("project/p"));
  CHECK(at("proxymodel/zbase") < at("proxymodel/above"));
  CHECK(at("project/p") < at("mcptoken/agent"));
  CHECK(at("mcptoken/agent") < at("rbac/readers"));
  CHECK(at("rbac/readers") < static_cast<int64_t>(order.size()));
}

TEST_CASE("backups and restores are recorded") {
  Filled world;
  world.fill();
  const auto backup = backup_of(world, world.root);
  const auto made = world.events(audit::Kind::backup_made);
  REQUIRE(made.size() == 1);
  CHECK(made[0].user == "root@example.org");
  CHECK(made[0].payload.find(R"("sealed":false)") != std::string::npos);
  Filled here(9);
  restore(here, here.root, backup, R"("dryRun":true)");
  CHECK(here.events(audit::Kind::backup_restored).empty());
  CHECK(here.events(audit::Kind::object_changed).empty());
  CHECK(restore(here, here.root, backup).status == 200);
  const auto restored = here.events(audit::Kind::backup_restored);
  REQUIRE(restored.size() == 1);
  CHECK(restored[0].payload.find(R"("strategy":"fail")") != std::string::npos);
  CHECK(here.events(audit::Kind::token_created).size() == 4);
  CHECK(here.events(audit::Kind::object_changed).size() > 10);
}

TEST_CASE("a backup's password has a length, and its body nothing else") {
  Filled world;
  CHECK(world.expect(400, world.root, "POST", "/api/v1/backup", R"({"password":"short"})").text("message") ==
        "password: must have 8 to 1024 bytes");
  world.expect(400, world.root, "POST", "/api/v1/backup", R"({"passwort":"long enough"})");
  world.expect(400, world.root, "GET", "/api/v1/backup?password=long-enough");
  world.expect(200, world.root, "POST", "/api/v1/backup");
}
