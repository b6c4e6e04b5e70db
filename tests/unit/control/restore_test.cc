// What a restore does with what is there, and with what is no backup.
#include "control/tool_prints.h"
#include "unit/control/filled.h"

using namespace mcptoken;
using namespace mcptoken::control;
using namespace mcptoken::control::testing;

namespace {

Value parsed(const std::string& text) { return must(json::parse(text)); }

// A backup with these objects, as somebody could write it by hand.
Value backup_with(const std::string& objects) {
  return parsed(R"({"format":1,"server":"1","createdAt":"2026-01-01T00:00:00Z","revision":1,"objects":[)" + objects +
                "]}");
}

// What a reader of the store sees: any write shows.
std::string state(Filled& world) {
  std::string out = contents(backup_of(world, world.root));
  world.read([&](store::Tx& tx) -> Result<void> {
    MCPT_TRY(const auto revision, tx.revision());
    out += std::to_string(revision);
    return {};
  });
  return out;
}

std::string token_state(World& world, const std::string& raw) {
  std::string out = "missing";
  world.read([&](store::Tx& tx) -> Result<void> {
    auto token = tx.find_token(token::hash(raw));
    if (token) out = std::string(store::to_text(token->state(tx.now_ms())));
    return {};
  });
  return out;
}

}  // namespace

TEST_CASE("where other content is, the strategy decides, and fail leaves everything as it was") {
  Filled world;
  world.fill();
  auto backup = backup_of(world, world.root);
  world.expect(200, world.root, "PATCH", "/api/v1/servers/web", R"({"description":"changed"})");
  world.expect(200, world.root, "DELETE", "/api/v1/templates/tpl4");
  const auto before = state(world);

  const auto refused = restore(world, world.root, backup);
  CHECK(refused.status == 409);
  CHECK(refused.text("error") == "restore_conflict");
  CHECK(refused.text("message") == "nothing was restored: there is other content in server/web");
  CHECK(item(refused, "server/web") == "conflict (differs in description)");
  CHECK(item(refused, "template/tpl4") == "created");
  CHECK(state(world) == before);

  const auto skipped = restore(world, world.root, backup, R"("conflict":"skip")");
  CHECK(skipped.status == 200);
  CHECK(item(skipped, "server/web") == "skipped (differs in description)");
  CHECK(count(skipped, "created") == 1);
  CHECK(world.expect(200, world.root, "GET", "/api/v1/servers/web").text("description") == "changed");
  world.expect(200, world.root, "GET", "/api/v1/templates/tpl4");

  const auto id = world.expect(200, world.root, "GET", "/api/v1/servers/web").text("id");
  const auto overwritten = restore(world, world.root, backup, R"("conflict":"overwrite")");
  CHECK(item(overwritten, "server/web") == "updated (differs in description)");
  CHECK(count(overwritten, "updated") == 1);
  const auto after = world.expect(200, world.root, "GET", "/api/v1/servers/web");
  CHECK(after.text("description") == "");
  CHECK(after.text("id") == id);  // what is bound to it stays bound
}

TEST_CASE("a dry run reports what would happen and writes nothing") {
  Filled there;
  there.fill();
  const auto backup = backup_of(there, there.root);
  Filled here(9);
  const auto before = state(here);
  const auto dry = restore(here, here.root, backup, R"("dryRun":true)");
  CHECK(dry.status == 200);
  CHECK(dry.json.find("dryRun")->as_bool() == true);
  CHECK(state(here) == before);
  const auto real = restore(here, here.root, backup);
  CHECK(json::to_text(*real.json.find("items")) == json::to_text(*dry.json.find("items")));
  // Conflicts are no failure of a dry run.
  here.expect(200, here.root, "PATCH", "/api/v1/projects/p", R"({"prompt":"x"})");
  const auto conflicts = restore(here, here.root, backup, R"("dryRun":true)");
  CHECK(conflicts.status == 200);
  CHECK(item(conflicts, "project/p") == "conflict (differs in prompt)");
}

TEST_CASE("CE-51 revoked stays revoked: here, in the backup, and after its record has gone") {
  Filled world;
  world.fill();
  const auto backup = backup_of(world, world.root);
  const auto agent = object_in(backup, "mcptoken", "agent")->text("id");
  world.expect(200, world.root, "DELETE", "/api/v1/mcptokens/" + agent);

  // Revoked here after the backup was made: with every strategy.
  for (const auto* strategy : {"fail", "skip", "overwrite"}) {
    CAPTURE(strategy);
    Value without = backup;
    auto& objects = without.find("objects")->items();
    std::erase_if(objects, [](const Value& one) { return one.text("kind") == "rbac"; });
    const auto reply = restore(world, world.root, without, R"("conflict":")" + std::string(strategy) + "\"");
    CHECK(item(reply, "mcptoken/p/agent") == "unchanged (is revoked here, and stays so)");
    CHECK(token_state(world, world.raw) == "revoked");
  }

  // Purged here: nothing but the hash is known.
  world.expect(200, world.root, "DELETE", "/api/v1/mcptokens/" + agent + "?purge=true");
  CHECK(token_state(world, world.raw) == "missing");
  const auto reply = restore(world, world.root, backup, R"("conflict":"overwrite")");
  REQUIRE_MESSAGE(reply.status == 200, reply.body);
  CHECK(item(reply, "mcptoken/p/agent") == "skipped (was removed here, and stays so)");
  CHECK(item(reply, "rbac/readers").find("without a token that is not restored") != std::string::npos);
  CHECK(token_state(world, world.raw) == "missing");

  // Gone with its project.
  world.expect(200, world.root, "DELETE", "/api/v1/projects/p");
  const auto again = restore(world, world.root, backup, R"("conflict":"overwrite")");
  REQUIRE_MESSAGE(again.status == 200, again.body);
  CHECK(item(again, "project/p") == "created");
  CHECK(item(again, "mcptoken/p/dead") == "skipped (was removed here, and stays so)");
}

TEST_CASE("a revocation in the backup is carried out here, with every strategy") {
  for (const auto* strategy : {"fail", "skip", "overwrite"}) {
    CAPTURE(strategy);
    Filled there, here(9);
    there.fill();
    const auto backup = backup_of(there, there.root);
    CHECK(restore(here, here.root, backup).status == 200);
    CHECK(token_state(here, there.raw) == "active");
    CHECK(token_state(here, there.revoked) == "revoked");
    there.expect(200, there.root, "DELETE", "/api/v1/mcptokens/" + object_in(backup, "mcptoken", "agent")->text("id"));
    const auto later = backup_of(there, there.root);
    const auto reply = restore(here, here.root, later, R"("conflict":")" + std::string(strategy) + "\"");
    REQUIRE_MESSAGE(reply.status == 200, reply.body);
    CHECK(item(reply, "mcptoken/p/agent") == "updated (is revoked in the backup)");
    CHECK(token_state(here, there.raw) == "revoked");
    here.read([&](store::Tx& tx) -> Result<void> {
      MCPT_TRY(const auto definitions, tx.list("rbac"));
      for (const auto& one : definitions)
        CHECK_FALSE(one.system);  // nothing is bound to it any more
      return {};
    });
  }
}

TEST_CASE("a token is never changed by a restore, and one of its name is replaced only when told to") {
  Filled there, here(9);
  there.fill();
  auto backup = backup_of(there, there.root);
  CHECK(restore(here, here.root, backup).status == 200);
  Value wider = backup;
  object_in(wider, "mcptoken", "agent")->set("bindings", parsed(R"([{"role":"run","resource":"tools"}])"));
  CHECK(item(restore(here, here.root, wider), "mcptoken/p/agent") ==
        "conflict (differs in bindings, and tokens do not change)");
  CHECK(item(restore(here, here.root, wider, R"("conflict":"overwrite")"), "mcptoken/p/agent") ==
        "skipped (differs in bindings, and tokens do not change)");
  const auto now = backup_of(here, here.root);
  CHECK(*object_in(now, "mcptoken", "agent") == *object_in(backup, "mcptoken", "agent"));

  Filled other(5);
  other.expect(201, other.root, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none"})");
  const auto minted =
      other.expect(201, other.root, "POST", "/api/v1/mcptokens", R"({"name":"agent","project":"p","ttl":"1d"})");
  const auto own = minted.text("token");
  CHECK(item(restore(other, other.root, backup, R"("dryRun":true)"), "mcptoken/p/agent") ==
        "conflict (another token has the name)");
  const auto kept = restore(other, other.root, backup, R"("conflict":"skip")");
  CHECK(item(kept, "rbac/readers") == "created (without a token that is not restored)");
  CHECK(item(kept, "mcptoken/p/agent") == "skipped (another token has the name)");
  CHECK(token_state(other, own) == "active");
  CHECK(token_state(other, there.raw) == "missing");
  CHECK(item(restore(other, other.root, backup, R"("conflict":"overwrite")"), "mcptoken/p/agent") == "created");
  CHECK(token_state(other, own) == "revoked");
  CHECK(token_state(other, there.raw) == "active");
}

TEST_CASE("a token that ended comes back ended, and a server's limits hold for those that live") {
  Filled there;
  there.fill();
  const auto backup = backup_of(there, there.root);
  Settings settings;
  settings.max_token_ttl_ms = 24 * 3600'000LL;
  Filled here(9);
  here.configure(settings);
  const auto reply = restore(here, here.root, backup);
  CHECK(item(reply, "mcptoken/p/agent") == "created (ends earlier: this server allows at most 86400 seconds)");
  here.clock.now += 24 * 3600'000LL;
  CHECK(token_state(here, there.raw) == "expired");

  Filled later(5);
  later.clock.now = there.clock.now + 31 * 24 * 3600'000LL;
  CHECK(restore(later, later.root, backup).status == 200);
  CHECK(token_state(later, there.raw) == "expired");

  settings = {};
  settings.max_tokens = 1;
  Filled full(4);
  full.configure(settings);
  const auto refused = restore(full, full.root, backup);
  CHECK(refused.status == 409);
  CHECK(refused.text("error") == "too_many_tokens");
}

TEST_CASE("who comes back is somebody new to what was left behind") {
  Filled world;
  world.fill();
  const auto backup = backup_of(world, world.root, kBackupPassword);
  world.expect(200, world.root, "DELETE", "/api/v1/users/ada@example.org");
  // The definition still has the id of the user who is gone.
  CHECK(restore(world, world.root, backup, R"("conflict":"skip","password":")" + std::string(kBackupPassword) + "\"")
            .status == 200);
  const auto ada = world.expect(200, world.root, "GET", "/api/v1/users/ada@example.org").text("id");
  rbac::Principal who;
  who.kind = rbac::PrincipalKind::user;
  who.user_id = ada;
  who.user_email = "ada@example.org";
  CHECK(world.expect(200, who, "GET", "/api/v1/auth/whoami").json.find("permissions")->items().empty());
}

TEST_CASE("what is no backup, or another one, is refused in words") {
  Filled world;
  const auto refused = [&](const std::string& body, const std::string& message) {
    CAPTURE(body);
    CHECK(world.expect(400, world.root, "POST", "/api/v1/restore", body).text("message") == message);
  };
  refused("", "body: a JSON object is required");
  refused("[]", "body: must be an object");
  refused("{}", "backup: must be an object");
  refused(R"({"backup":{"servers":[]}})", "backup.format: is missing: this is no backup");
  refused(R"({"backup":{"format":"1"}})", "backup.format: is missing: this is no backup");
  refused(R"({"backup":{"format":2,"new":true}})", "backup.format: is 2, and this server reads 1");
  refused(R"({"backup":{"format":1}})", "backup.server: is required");
  const auto with = [&](const std::string& objects, const std::string& message) {
    refused(R"({"backup":)" + json::to_text(backup_with(objects)) + "}", message);
  };
  with("1", "backup.objects[0]: must be an object");
  with(R"({"name":"x"})", "backup.objects[0]: kind: is not the name of a kind");
  with(R"({"kind":"servers","name":"x"})", "backup.objects[0]: kind: is not the name of a kind");
  with(R"({"kind":"group","name":"a"},{"kind":"group","name":"a"})", "backup.objects[1]: group/a is there twice");
  with(R"({"kind":"group","name":"a","id":"x"})", "group/a: id: unknown field");
  with(R"({"kind":"group","name":"a","members":["gone@example.org"]})",
       "group/a: members[0]: there is no user \"gone@example.org\"");
  with(R"({"kind":"user","email":"a@example.org","password":"plain text"})",
       "user/a@example.org: password: unknown field in a backup");
  with(R"({"kind":"rbac","name":"mcptoken-x","subjects":[],"roleBindings":[]})", "rbac/mcptoken-x: name: " + [&] {
    const auto reply =
        world.call(world.root, "POST", "/api/v1/rbac", R"({"name":"mcptoken-x","subjects":[],"roleBindings":[]})");
    return reply.text("message").substr(6);
  }());
  with(R"({"kind":"proxymodel","name":"a","extends":["b"]},{"kind":"proxymodel","name":"b","extends":["a"]})",
       "proxymodel/a: builds on itself, or on too many others");
  with(R"({"kind":"prompt","name":"a","project":"none","content":"x"})",
       "prompt/none/a: project: there is no project \"none\"");
  refused(R"({"backup":)" + json::to_text(backup_with("")) + R"(,"conflict":"merge"})",
          "conflict: must be one of fail, skip, overwrite");
  refused(R"({"backup":)" + json::to_text(backup_with("")) + R"(,"force":true})", "force: unknown field");
  auto extra = backup_with("");
  extra.set("extra", Value());
  refused(R"({"backup":)" + json::to_text(extra) + "}", "backup.extra: unknown field");
  // All or nothing: what came before the bad one is not there.
  with(R"({"kind":"group","name":"good"},{"kind":"server","name":"bad"})",
       "server/bad: externalUrl: one of command, packageName, dockerImage and externalUrl is required");
  world.expect(404, world.root, "GET", "/api/v1/groups/good");
}

TEST_CASE("a sealed backup needs its password, and the whole of what was sealed") {
  Filled there, here(9);
  there.fill();
  const auto backup = backup_of(there, there.root, kBackupPassword);
  const auto before = state(here);
  const std::string right = R"("password":")" + std::string(kBackupPassword) + "\"";
  CHECK(restore(here, here.root, backup).text("message") == "password: the backup is sealed, and needs its password");
  const auto wrong = restore(here, here.root, backup, R"("password":"another password")");
  CHECK(wrong.status == 400);
  CHECK(wrong.text("error") == "wrong_password");
  Value changed = backup;
  object_in(changed, "server", "web")->set("externalUrl", Value::string("https://evil.example.org/"));
  CHECK(restore(here, here.root, changed, right).text("message") == "backup: was changed after it was made");
  Value opened = backup;
  opened.erase("sealed");
  CHECK(restore(here, here.root, opened, right).text("message") ==
        "password: the backup has none: it may be another file than you think");
  CHECK(state(here) == before);
  CHECK(restore(here, here.root, backup, right).status == 200);
}

TEST_CASE("a token's record is checked like everything else") {
  Filled there, here(9);
  there.fill();
  const auto backup = backup_of(there, there.root);
  const auto refused = [&](const std::string& field, Value value, const std::string& message) {
    CAPTURE(field);
    Value copy = backup;
    object_in(copy, "mcptoken", "agent")->set(field, std::move(value));
    CHECK(restore(here, here.root, copy).text("message") == "mcptoken/p/agent: " + message);
  };
  refused("tokenSha", Value::string("abc"), "tokenSha: must be 64 hexadecimal digits");
  refused("id", Value::string("introspect"), "id: must be 20 of a-z 0-9");
  refused("prefix", Value::string(there.raw), "prefix: holds an mcpctl credential: those are never kept, nor handed to a server");
  refused("prefix", Value::string("mcpctl_pat_abcde"), "prefix: must be mcpctl_pat_ and four characters");
  refused("owner", Value::string("gone@example.org"), "owner: there is no user \"gone@example.org\"");
  refused("createdAt", Value::string("yesterday"), "createdAt: must be an instant like 2026-07-28T09:30:00Z");
  refused("status", Value::string("active"), "status: is set by the server; unknown field in a body");
  refused("ttl", Value::string("never"), "ttl: unknown field in a backup");
  refused("bindings", parsed(R"([{"role":"god","resource":"servers"}])"), "bindings[0].role is not a known word");
  Value copy = backup;
  object_in(copy, "mcptoken", "agent")->set("project", Value::string("none"));
  CHECK(restore(here, here.root, copy).text("message") == "mcptoken/none/agent: project: there is no project \"none\"");
}

TEST_CASE("what was approved of a pinned server is approved where it is restored, and what has changed since is not") {
  Filled there, here(9);
  there.fill();
  const ToolPrint approved{"t", crypto::sha256("as it was approved")}, pulled{"t", crypto::sha256("as it is now")};
  const auto waiting = [](Filled& world, const ToolPrint& tool) {
    std::vector<std::string> out;
    world.write([&](store::Tx& tx) -> Result<void> {
      MCPT_TRY(const auto server, tx.get("server", "", "local"));
      MCPT_CHECK(note_tools(tx, server.id, std::span(&tool, 1), true));
      MCPT_TRY(out, unapproved_tools(tx, server.id));
      return {};
    });
    return out;
  };
  const auto backup = backup_of(there, there.root);
  CHECK(json::to_text(*object_in(backup, "server", "local")->find("approvedTools")) ==
        R"([{"tool":"t","digest":")" + to_hex(approved.print) + R"("}])");
  CHECK(object_in(backup, "server", "web")->find("approvedTools") == nullptr);
  CHECK(restore(here, here.root, backup).status == 200);
  // The first sight here is not the first: the definition was changed meanwhile.
  CHECK(waiting(here, pulled) == std::vector<std::string>{"t"});
  CHECK(waiting(here, approved).empty());

  // Somebody approves the other one here; a restore of what was approved before is a difference like any other.
  waiting(here, pulled);
  here.expect(200, here.root, "POST", "/api/v1/servers/local/approve", R"({"tools":["t"]})");
  CHECK(item(restore(here, here.root, backup, R"("conflict":"skip")"), "server/local") == "skipped (differs in approved tools)");
  CHECK(restore(here, here.root, backup).status == 409);
  CHECK(waiting(here, pulled).empty());
  CHECK(item(restore(here, here.root, backup, R"("conflict":"overwrite")"), "server/local") == "updated (differs in approved tools)");
  CHECK(waiting(here, pulled) == std::vector<std::string>{"t"});
  CHECK(item(restore(here, here.root, backup), "server/local") == "unchanged");

  const auto refused = [&](const std::string& list, const std::string& message) {
    Value copy = backup;
    object_in(copy, "server", "local")->set("approvedTools", parsed(list));
    CHECK(restore(here, here.root, copy).text("message") == "server/local: " + message);
  };
  refused(R"([{"tool":"t","digest":"abc"}])", "approvedTools[0].digest: must be 64 hexadecimal digits");
  refused(R"([{"tool":"t"}])", "approvedTools[0].digest: is required");
  refused(R"("t")", "approvedTools: must be a list");
}
