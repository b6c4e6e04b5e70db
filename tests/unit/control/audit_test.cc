#include "audit/chain.h"
#include "base/time_text.h"
#include "unit/control/world.h"

using namespace mcptoken;
using namespace mcptoken::control;
using namespace mcptoken::control::testing;

namespace {

struct Record : World {
  Record() {
    const audit::Kind call = audit::Kind::tool_call_trace;
    write([&](store::Tx& tx) -> Result<void> {
      for (const std::string project : {"p", "q", ""}) {
        for (int i = 0; i < 3; i++) {
          audit::Event event;
          event.kind = call;
          event.project = project;
          event.session = project + "-session";
          event.user = "u@example.org";
          event.token_name = "t" + std::to_string(i);
          event.token_sha = crypto::sha256(event.token_name);
          event.server = "s";
          event.subject = "tool-" + std::to_string(i);
          event.time_ms = clock.now + i * 1'000;
          if (i == 2) event.outcome = audit::Outcome::denied;
          event.payload = R"({"n":1})";
          MCPT_CHECK(audit::append(tx.db(), event));
        }
      }
      return audit::seal(tx.db(), control->keys().audit());
    });
  }
  std::string found(const rbac::Principal& who, const std::string& query) {
    std::string out;
    const auto reply = expect(200, who, "GET", "/api/v1/audit/events" + (query.empty() ? "" : "?" + query));
    for (const auto& item : reply.json.find("items")->items())
      out += (out.empty() ? "" : " ") + item.text("project") + "/" + item.text("tool");
    return out;
  }
  const rbac::Principal all = user("a@example.org", {"role:view,resource:audit"});
  const rbac::Principal of_p = user("p@example.org", {"role:view,resource:audit,name:p"});
};

}  // namespace

TEST_CASE("audit events of changes name the binding by which the caller made them") {
  World world;
  const auto root = world.admin();
  world.expect(201, root, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none"})");
  const auto clerk =
      world.user("c@example.org", {"role:create,resource:groups,name:g", "role:edit,resource:prompts,name:p/*",
                                   "role:view,resource:projects", "role:create,resource:mcptokens,name:p/*"});
  world.expect(201, clerk, "POST", "/api/v1/groups", R"({"name":"g"})");
  world.expect(201, clerk, "POST", "/api/v1/prompts", R"({"name":"n","project":"p","content":"x"})");
  world.expect(200, clerk, "PATCH", "/api/v1/prompts/n?project=p", R"({"content":"y"})");
  const auto token = world.expect(201, clerk, "POST", "/api/v1/mcptokens", R"({"name":"t","project":"p"})");
  world.expect(200, clerk, "DELETE", "/api/v1/mcptokens/" + token.text("id"));  // as its owner: by no binding
  world.expect(200, root, "DELETE", "/api/v1/projects/p");
  const auto rules = [&](audit::Kind kind, const std::string& subject) {
    std::string out;
    for (const auto& event : world.events(kind)) {
      if (event.subject == subject)
        out +=
            "[" + event.rule.substr(event.rule.find(": ") == std::string::npos ? 0 : event.rule.find(": ") + 2) + "]";
    }
    return out;
  };
  CHECK(rules(audit::Kind::object_changed, "group/g") == "[role:create,resource:groups,name:g]");
  // The latest first: that of the project's end is the administrator's.
  CHECK(rules(audit::Kind::object_changed, "prompt/n") ==
        "[role:edit,resource:*][role:edit,resource:prompts,name:p/*][role:edit,resource:prompts,name:p/*]");
  CHECK(rules(audit::Kind::object_changed, "project/p") == "[role:edit,resource:*][role:edit,resource:*]");
  CHECK(rules(audit::Kind::token_created, "mcptoken/t") == "[role:create,resource:mcptokens,name:p/*]");
  CHECK(rules(audit::Kind::token_revoked, "mcptoken/t") == "[]");
}

TEST_CASE("audit export: the whole record in its order, for the operation and the view of all of it") {
  World world;
  const auto root = world.admin();
  for (const std::string name : {"a", "b", "c"})
    world.expect(201, root, "POST", "/api/v1/groups", R"({"name":")" + name + "\"}");
  crypto::Key master{};
  master.fill(world.master);
  world.write([&](store::Tx& tx) { return audit::seal(tx.db(), Keys::from_master(master).audit()); });
  const std::string path = "/api/v1/audit/export";
  const auto all = world.expect(200, root, "GET", path);
  const auto& items = all.json.find("items")->items();
  REQUIRE(items.size() == 3);
  CHECK(items[0].text("tool") == "group/a");
  std::string links, paged;
  for (const auto& one : items)
    links += one.text("link") + " ";
  CHECK(items[2].text("link") == all.json.find("head")->text("hash"));
  std::string after = "0";
  for (int i = 0; i < 3; i++) {
    const auto page = world.expect(200, root, "GET", path + "?limit=1&after=" + after);
    REQUIRE(page.json.find("items")->items().size() == 1);
    paged += page.json.find("items")->items()[0].text("link") + " ";
    after = std::to_string(page.json.find("next")->as_int().value_or(0));
  }
  CHECK(paged == links);
  const auto end = world.expect(200, root, "GET", path + "?after=" + after);
  CHECK(end.json.find("items")->items().empty());
  CHECK(std::to_string(end.json.find("next")->as_int().value_or(0)) == after);
  // Neither is enough alone, nor a part of the record.
  world.expect(403, world.user("a@example.org", {"action:audit-export"}), "GET", path);
  world.expect(403, world.user("b@example.org", {"role:view,resource:audit"}), "GET", path);
  world.expect(403, world.user("c@example.org", {"action:audit-export", "role:view,resource:audit,name:p"}), "GET",
               path);
  world.expect(200, world.user("d@example.org", {"action:audit-export", "role:view,resource:audit"}), "GET", path);
  for (const std::string bad : {"limit=0", "limit=1001", "after=-1", "after=x", "project=p"})
    world.expect(400, root, "GET", path + "?" + bad);
}

TEST_CASE("audit events: filters, pages, and the caller's scope") {
  Record world;
  CHECK(world.found(world.all, "project=p") == "p/tool-2 p/tool-1 p/tool-0");
  CHECK(world.found(world.all, "session=q-session&tool=tool-1") == "q/tool-1");
  CHECK(world.found(world.all, "outcome=denied&kind=tool_call_trace") == "/tool-2 q/tool-2 p/tool-2");
  CHECK(world.found(world.all, "project=q&tokenSha=" + to_hex(crypto::sha256("t1"))) == "q/tool-1");
  CHECK(world.found(world.all, "project=q&tokenName=t0&user=u@example.org&server=s") == "q/tool-0");
  CHECK(world.found(world.all, "project=q&since=" + to_iso8601(world.clock.now + 1'000)) == "q/tool-2 q/tool-1");
  CHECK(world.found(world.all, "project=q&until=" + to_iso8601(world.clock.now + 1'000)) == "q/tool-0");
  CHECK(world.found(world.of_p, "") == "p/tool-2 p/tool-1 p/tool-0");
  CHECK(world.found(world.of_p, "project=q").empty());
  const auto first = world.expect(200, world.all, "GET", "/api/v1/audit/events?project=p&limit=2");
  CHECK(first.json.find("items")->items().size() == 2);
  CHECK(world.found(world.all, "project=p&limit=2&cursor=" + first.text("cursor")) == "p/tool-0");
  world.expect(400, world.of_p, "GET", "/api/v1/audit/events?cursor=" + first.text("cursor"));  // somebody else's
  world.expect(400, world.all, "GET", "/api/v1/audit/sessions?cursor=" + first.text("cursor"));
  world.expect(400, world.all, "GET", "/api/v1/audit/events?cursor=7");
  for (const auto bad : {"kind=x", "outcome=x", "tokenSha=x", "since=yesterday", "limit=0", "limit=1001", "cursor=x", "other=1"})
    world.expect(400, world.all, "GET", std::string("/api/v1/audit/events?") + bad);
  world.expect(403, world.user("n@example.org"), "GET", "/api/v1/audit/events");
}

TEST_CASE("audit sessions are listed within the caller's scope") {
  Record world;
  const auto sessions = [&](const rbac::Principal& who) {
    return world.expect(200, who, "GET", "/api/v1/audit/sessions").json.find("items")->items();
  };
  CHECK(sessions(world.all).size() == 9);
  const auto of_p = sessions(world.of_p);
  REQUIRE(of_p.size() == 3);  // of three tokens that say the same name of a session
  CHECK(of_p[0].text("session") == "p-session");
  CHECK(of_p[0].text("tokenName") == "t2");
  CHECK(of_p[0].text("tokenSha") == to_hex(crypto::sha256("t2")));
  CHECK(of_p[0].find("events")->as_int() == 1);
  CHECK(of_p[0].find("denied")->as_int() == 1);
  CHECK(of_p[1].find("denied")->as_int() == 0);
}

TEST_CASE("audit sessions: filters and pages") {
  Record world;
  const auto list = [&](const rbac::Principal& who, const std::string& query) {
    return world.expect(200, who, "GET", "/api/v1/audit/sessions?" + query);
  };
  const auto names = [&](const rbac::Principal& who, const std::string& query) {
    std::string out;
    const auto reply = list(who, query);
    for (const auto& item : reply.json.find("items")->items())
      out += item.text("session") + " ";
    return out;
  };
  CHECK(names(world.all, "project=q") == "q-session q-session q-session ");  // of three tokens
  CHECK(names(world.all, "user=u@example.org&project=p&limit=2") == "p-session p-session ");
  CHECK(names(world.all, "user=other").empty());
  CHECK(names(world.all, "tokenName=t2&project=p") == "p-session ");
  CHECK(names(world.all, "tokenName=t3").empty());
  const auto last = world.clock.now + 2'000;
  CHECK(names(world.all, "since=" + to_iso8601(last)) == "q-session p-session -session ");
  CHECK(names(world.all, "since=" + to_iso8601(last + 1)).empty());
  CHECK(names(world.all, "until=" + to_iso8601(last) + "&limit=3") == "q-session p-session -session ");  // of t1
  CHECK(names(world.all, "until=" + to_iso8601(world.clock.now)).empty());
  CHECK(names(world.all, "until=" + to_iso8601(last + 1) + "&limit=1") == "q-session ");
  CHECK(names(world.of_p, "limit=1") == "p-session ");  // the caller's scope comes before the limit
  std::string all, cursor;
  do {
    const auto page = list(world.all, "limit=1" + (cursor.empty() ? "" : "&cursor=" + cursor));
    for (const auto& item : page.json.find("items")->items())
      all += item.text("session") + " ";
    cursor = page.text("cursor");
  } while (!cursor.empty());
  const std::string once = "q-session p-session -session ";
  CHECK(all == once + once + once);
  for (const auto bad : {"cursor=x", "cursor=1", "cursor=1.p", "limit=0", "since=x", "session=x"})
    world.expect(400, world.all, "GET", std::string("/api/v1/audit/sessions?") + bad);
}

TEST_CASE("the beginning of the record is purged over REST") {
  Record world;
  const auto purger = world.user("purger@example.org", {"action:audit-purge"});
  const auto purge = [&](int status, const rbac::Principal& who, const std::string& query) {
    const auto reply = world.expect(status, who, "DELETE", "/api/v1/audit/events" + query);
    world.write([&](store::Tx& tx) { return audit::seal(tx.db(), world.control->keys().audit()); });
    return reply;
  };
  purge(403, world.all, "?before=3");
  for (const auto bad : {"", "?before=", "?before=x", "?before=99", "?before=2099-01-01T00:00:00Z", "?before=3&other=1"})
    purge(400, purger, bad);
  CHECK(purge(200, purger, "?before=3").body == R"({"removed":2})");
  CHECK(purge(200, purger, "?before=3").body == R"({"removed":0})");
  auto told = world.events(audit::Kind::audit_purged);
  REQUIRE(told.size() == 1);
  CHECK(told[0].user == "purger@example.org");
  CHECK(told[0].payload == R"({"beforeSeq":3})");
  CHECK(told[0].request_id == "req1");
  const auto verified = [&] { return world.expect(200, world.all, "GET", "/api/v1/audit/verify").json; };
  CHECK(verified().find("intact")->as_bool() == true);
  CHECK(verified().find("firstSeq")->as_int() == 3);
  world.clock.now += 60'000;
  CHECK(purge(200, purger, "?before=" + to_iso8601(world.clock.now)).body == R"({"removed":8})");  // the first purge's event, too
  told = world.events(audit::Kind::audit_purged);
  REQUIRE(told.size() == 1);
  CHECK(told[0].payload == R"({"before":")" + to_iso8601(world.clock.now) + "\"}");
  CHECK(verified().find("intact")->as_bool() == true);
  world.write([](store::Tx& tx) { return tx.db().run("UPDATE audit SET user = 'x'"); });
  world.clock.now += 60'000;
  CHECK(purge(409, purger, "?before=" + to_iso8601(world.clock.now)).text("message").find("not intact") != std::string::npos);
  CHECK(world.events(audit::Kind::audit_purged).size() == 1);
}

TEST_CASE("the audit chain is verified over REST") {
  Record world;
  const auto good = world.expect(200, world.all, "GET", "/api/v1/audit/verify");
  CHECK(good.json.find("intact")->as_bool() == true);
  const auto* head = good.json.find("head");
  const auto noted = std::to_string(*head->find("seq")->as_int()) + ":" + head->text("hash");
  CHECK(world.expect(200, world.all, "GET", "/api/v1/audit/verify?expectHead=" + noted).json.find("intact")->as_bool() == true);
  world.expect(400, world.all, "GET", "/api/v1/audit/verify?expectHead=7");
  world.expect(403, world.of_p, "GET", "/api/v1/audit/verify");
  world.write([](store::Tx& tx) { return tx.db().run("UPDATE audit SET user = 'x' WHERE seq = 4"); });
  const auto changed = world.expect(200, world.all, "GET", "/api/v1/audit/verify");
  CHECK(changed.json.find("intact")->as_bool() == false);
  CHECK(changed.json.find("problemSeq")->as_int() == 4);
}
