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
  for (const auto bad : {"kind=x", "outcome=x", "tokenSha=x", "since=yesterday", "limit=0", "limit=1001", "cursor=x", "other=1"})
    world.expect(400, world.all, "GET", std::string("/api/v1/audit/events?") + bad);
  world.expect(403, world.user("n@example.org"), "GET", "/api/v1/audit/events");
}

TEST_CASE("audit sessions are listed within the caller's scope") {
  Record world;
  const auto sessions = [&](const rbac::Principal& who) {
    return world.expect(200, who, "GET", "/api/v1/audit/sessions").json.find("items")->items();
  };
  CHECK(sessions(world.all).size() == 3);
  REQUIRE(sessions(world.of_p).size() == 1);
  CHECK(sessions(world.of_p)[0].text("session") == "p-session");
  CHECK(sessions(world.of_p)[0].find("events")->as_int() == 3);
  CHECK(sessions(world.of_p)[0].find("denied")->as_int() == 1);
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
