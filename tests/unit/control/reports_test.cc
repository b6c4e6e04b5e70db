#include "base/limits.h"
#include "base/time_text.h"
#include "unit/control/world.h"

using namespace mcptoken;
using namespace mcptoken::control;
using namespace mcptoken::control::testing;

namespace {

struct Reports : World {
  Reports() {
    expect(201, root, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none"})");
    expect(201, root, "POST", "/api/v1/projects", R"({"name":"q","proxyModel":"none"})");
    who = bearer(expect(201, root, "POST", "/api/v1/mcptokens", R"({"name":"t","project":"p","rbacMode":"empty"})")
                     .text("token"));
  }
  // One event; `more` replaces or adds to its fields.
  std::string event(int64_t seq, const std::string& more = {}) const {
    auto item = must(json::parse(R"({"seq":)" + std::to_string(seq) + R"(,"time":")" + to_iso8601(clock.now) +
                                 R"(","kind":"rbac_decision","outcome":"denied","tool":"x"})"));
    if (!more.empty()) {
      const auto changes = must(json::parse(more));
      for (const auto& [name, value] : changes.members()) {
        if (value.is(json::Type::null))
          item.erase(name);
        else
          item.set(name, value);
      }
    }
    return json::to_text(item);
  }
  static std::string batch(const std::string& events, int64_t next) {
    return R"({"stream":"s","events":[)" + events + R"(],"next":)" + std::to_string(next) + "}";
  }
  Reply report(int status, const std::string& body) { return expect(status, who, "POST", kPath, body); }

  static constexpr auto kPath = "/api/v1/projects/p/audit";
  rbac::Principal root = admin();
  rbac::Principal who;
};

}  // namespace

TEST_CASE("reported events are stamped by the control plane") {
  Reports world;
  const auto reply = world.report(
      200,
      Reports::batch(world.event(1, R"({"session":"m","clientName":"c","clientVersion":"1","server":"web","rule":"no",
                                             "requestId":"r","durationMs":5,"payload":{"clientAddress":"10.0.0.9"},
                                             "argumentDigest":")" +
                                        std::string(64, 'a') + "\"}"),
                     2));
  CHECK(reply.body == R"({"written":1,"repeated":0,"lost":0,"next":2})");
  const auto events = world.events(audit::Kind::rbac_decision);
  REQUIRE(events.size() == 1);
  const auto& one = events[0];
  CHECK(one.project == "p");
  CHECK(one.user == "root@example.org");
  CHECK(one.token_name == "t");
  CHECK(to_hex(*one.token_sha) == world.who.token_sha);
  CHECK(one.client_address == "127.0.0.1");
  CHECK(one.reported_by == "gateway");
  CHECK(one.outcome == audit::Outcome::denied);
  CHECK(one.time_ms == world.clock.now);
  CHECK(one.session == "m");
  CHECK(one.client_name == "c");
  CHECK(one.client_version == "1");
  CHECK(one.server == "web");
  CHECK(one.subject == "x");
  CHECK(one.rule == "no");
  CHECK(one.request_id == "r");
  CHECK(one.duration_ms == 5);
  CHECK(one.argument_digest);
  CHECK(one.payload == R"({"clientAddress":"10.0.0.9"})");
}

TEST_CASE("reported events: gaps and repeats") {
  Reports world;
  world.report(200, Reports::batch(world.event(1) + "," + world.event(4), 5));
  CHECK(world.report(200, Reports::batch(world.event(4) + "," + world.event(5), 7)).body ==
        R"({"written":1,"repeated":1,"lost":1,"next":7})");
  CHECK(world.events(audit::Kind::rbac_decision).size() == 3);
  const auto gaps = world.events(audit::Kind::events_lost);
  REQUIRE(gaps.size() == 2);
  CHECK(gaps[1].payload == R"({"lost":2})");
  CHECK(gaps[0].payload == R"({"lost":1})");
  CHECK(gaps[0].token_name == "t");
  CHECK(gaps[0].reported_by == "gateway");
}

TEST_CASE("reported events: what is not a gateway's to say is refused, and nothing is written") {
  Reports world;
  const std::string sha(64, 'b');
  for (const std::string& more :
       std::vector<std::string>{R"({"project":"q"})",
                                R"({"user":"x@example.org"})",
                                R"({"tokenName":"other"})",
                                R"({"tokenSha":")" + sha + "\"}",
                                R"({"clientAddress":"1.2.3.4"})",
                                R"({"reportedBy":"me"})",
                                R"({"kind":"token_created"})",
                                R"({"kind":"object_changed"})",
                                R"({"kind":"login"})",
                                R"({"kind":"events_lost"})",
                                R"({"kind":"audit_purged"})",
                                R"({"kind":"nothing"})",
                                R"({"kind":null})",
                                R"({"outcome":"fine"})",
                                R"({"outcome":null})",
                                R"({"time":"now"})",
                                R"({"time":null})",
                                R"({"seq":0})",
                                R"({"seq":null})",
                                R"({"seq":9007199254740992})",
                                R"({"durationMs":-1})",
                                R"({"argumentDigest":"x"})",
                                R"({"payload":"x"})",
                                R"({"payload":{"x":")" + std::string(5'000, 'x') + "\"}}",
                                R"({"tool":5})",
                                R"({"tool":")" + std::string(limits::kReportTextBytes + 1, 'x') + "\"}",
                                R"({"other":1})"}) {
    CAPTURE(more);
    const auto reply = world.report(400, Reports::batch(world.event(1) + "," + world.event(2, more), 3));
    CHECK(reply.text("message").starts_with("events[1]"));
  }
  for (const std::string& body : std::vector<std::string>{
           "", "[]", "{}", R"({"stream":"s","events":[]})", R"({"stream":"","events":[],"next":1})",
           R"({"stream":")" + std::string(65, 's') + R"(","events":[],"next":1})",
           R"({"stream":7,"events":[],"next":1})", R"({"stream":"s","events":{},"next":1})",
           R"({"stream":"s","events":[],"next":0})", R"({"stream":"s","events":[],"next":9007199254740992})",
           R"({"stream":"s","events":[7],"next":1})", R"({"stream":"s","events":[],"next":1,"other":1})",
           Reports::batch(world.event(1), 1), Reports::batch(world.event(2) + "," + world.event(2), 3),
           Reports::batch(world.event(2) + "," + world.event(1), 3)}) {
    CAPTURE(body);
    world.report(400, body);
  }
  std::string many = world.event(1);
  for (size_t i = 2; i <= limits::kReportBatch + 1; ++i)
    many += "," + world.event(static_cast<int64_t>(i));
  world.report(400, Reports::batch(many, limits::kReportBatch + 2));
  CHECK(world.events(audit::Kind::rbac_decision).empty());
  CHECK(world.events(audit::Kind::events_lost).empty());
}

TEST_CASE("reported events: a time to come is now, and no credential is kept") {
  Reports world;
  const std::string secret = "mcpctl_pat_" + std::string(43, 'A');
  world.report(200, Reports::batch(world.event(1, R"({"time":"2099-01-01T00:00:00Z","tool":")" + secret +
                                                      R"(","payload":{"detail":")" + secret + "\"}}"),
                                   2));
  const auto events = world.events(audit::Kind::rbac_decision);
  REQUIRE(events.size() == 1);
  CHECK(events[0].time_ms == world.clock.now);
  CHECK((events[0].subject + events[0].payload).find(std::string(20, 'A')) == std::string::npos);
  CHECK(json::parse(events[0].payload));
}

TEST_CASE("events are reported with the token that they are about") {
  Reports world;
  const auto body = Reports::batch(world.event(1), 2);
  world.expect(403, world.root, "POST", Reports::kPath, body);
  world.expect(401, rbac::Principal(), "POST", Reports::kPath, body);
  CHECK(world.expect(403, world.who, "POST", "/api/v1/projects/q/audit", body).text("error") == "wrong_project");
  world.expect(200, world.who, "POST", "/api/v1/projects/" + world.who.project_id + "/audit", body);
}

TEST_CASE("reported events: one token has its share of the record, and no more") {
  Reports world;
  const auto other = world.bearer(
      world.expect(201, world.root, "POST", "/api/v1/mcptokens", R"({"name":"u","project":"p","rbacMode":"empty"})")
          .text("token"));
  const auto large = Reports::batch(world.event(1) + std::string(1024 * 1024, ' '), 2);
  for (int64_t i = 0; i < 4; i++)
    world.report(200, large);
  // What is refused for what it says has been read, too.
  const auto refused = world.report(429, Reports::batch(world.event(2), 3));
  CHECK(refused.text("error") == "rate_limited");
  CHECK(refused.header("Retry-After") == "1");
  CHECK(world.events(audit::Kind::rbac_decision).size() == 1);
  world.expect(200, other, "POST", Reports::kPath, Reports::batch(world.event(1), 2));
  world.clock.now += 1'000;
  world.report(200, Reports::batch(world.event(2), 3));
  // At the pace that it is given it goes on for ever.
  for (int64_t number = 3; number < 100; number++) {
    world.clock.now += 64;
    world.report(200, Reports::batch(world.event(number) + std::string(60 * 1024, ' '), number + 1));
  }
}
