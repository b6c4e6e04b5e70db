#include "base/limits.h"
#include "base/time_text.h"
#include "control/watch.h"
#include "unit/control/world.h"

using namespace mcptoken;
using namespace mcptoken::control;
using namespace mcptoken::control::testing;

namespace {

constexpr auto kTokens = "/api/v1/mcptokens";
constexpr auto kDay = 24 * 3600 * 1000LL;

struct Tokens : World {
  explicit Tokens(Settings settings = {}) : World(std::move(settings)) {
    expect(201, root, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none"})");
    expect(201, root, "POST", "/api/v1/projects", R"({"name":"q","proxyModel":"none"})");
  }
  // A user who may mint for p, and holds `more` beside that.
  rbac::Principal minter(const std::string& email, std::vector<std::string> more) {
    more.insert(more.end(), {"role:view,resource:projects,name:p", "role:create,resource:mcptokens,name:p/*"});
    return user(email, more);
  }
  static std::string body(const std::string& name, const std::string& rest = {}) {
    return R"({"name":")" + name + R"(","project":"p")" + (rest.empty() ? "" : "," + rest) + "}";
  }
  static std::string bindings(const std::vector<std::string>& texts) {
    std::string out;
    for (const auto& text : texts)
      out += (out.empty() ? "\"" : ",\"") + text + "\"";
    return "\"bindings\":[" + out + "]";
  }
  size_t count() {
    return expect(200, root, "GET", std::string(kTokens) + "?all=true").json.find("items")->items().size();
  }
  rbac::Principal root = admin();
};

}  // namespace

TEST_CASE("a token is shown once, and its record tells everything but the secret") {
  Tokens world;
  const auto made =
      world.expect(201, world.root, "POST", kTokens,
                   Tokens::body("t", R"("description":"for tests","ttl":"30d","bindings":["role:view,resource:srv"])"));
  const auto raw = made.text("token");
  REQUIRE(token::classify(raw) == token::Kind::pat);
  CHECK(made.text("tokenSha") == to_hex(token::hash(raw)));
  CHECK(made.text("prefix") == raw.substr(0, token::kShownBytes));
  CHECK(made.text("status") == "active");
  CHECK(made.text("owner") == "root@example.org");
  CHECK(made.text("expiresAt") == to_iso8601(world.clock.now + 30 * kDay));
  CHECK(json::to_text(*made.json.find("bindings")) == R"([{"role":"view","resource":"servers"}])");
  const auto id = made.text("id");
  for (const auto& target : {std::string(kTokens) + "/" + id, std::string(kTokens) + "/t?project=p",
                             std::string(kTokens), std::string(kTokens) + "?project=p"}) {
    const auto shown = world.expect(200, world.root, "GET", target);
    CHECK(shown.body.find(raw) == std::string::npos);
    CHECK(shown.body.find(made.text("tokenSha")) != std::string::npos);
  }
  CHECK(world.expect(200, world.root, "GET", std::string(kTokens) + "?project=q").json.find("items")->items().empty());
  const auto events = world.events(audit::Kind::token_created);
  REQUIRE(events.size() == 1);
  CHECK(events[0].project == "p");
  CHECK(events[0].payload.find(made.text("tokenSha")) != std::string::npos);
  CHECK(events[0].payload.find(raw.substr(16)) == std::string::npos);

  world.clock.now += 30 * kDay;
  CHECK(world.expect(200, world.root, "GET", std::string(kTokens) + "/" + id).text("status") == "expired");
}

TEST_CASE("minting above one's own rights is refused whole (CE-01 to 07, 18, 29)") {
  struct Case {
    const char* what;
    std::vector<std::string> held;
    std::vector<std::string> wanted;
    int status;
  };
  const Case cases[] = {
      {"CE-01 view asks for edit", {"role:view,resource:servers"}, {"role:edit,resource:servers"}, 403},
      {"CE-02 a name asks for all", {"role:edit,resource:servers,name:a"}, {"role:edit,resource:servers"}, 403},
      {"CE-03 a name asks for another",
       {"role:view,resource:servers,name:a"},
       {"role:view,resource:servers,name:b"},
       403},
      {"CE-04 two names ask for all",
       {"role:view,resource:servers,name:a", "role:view,resource:servers,name:b"},
       {"role:view,resource:servers"},
       403},
      {"CE-05 every kind asks for *",
       {"role:view,resource:servers", "role:view,resource:secrets", "role:view,resource:users",
        "role:view,resource:groups", "role:view,resource:rbac", "role:view,resource:prompts",
        "role:view,resource:projects"},
       {"role:view,resource:*"},
       403},
      {"CE-06 view * asks for edit", {"role:view,resource:*"}, {"role:edit,resource:servers"}, 403},
      {"CE-07 parts of edit ask for edit",
       {"role:view,resource:servers", "role:create,resource:servers", "role:delete,resource:servers",
        "role:expose,resource:servers"},
       {"role:edit,resource:servers"},
       403},
      {"CE-07 edit gives view", {"role:edit,resource:servers"}, {"role:view,resource:servers"}, 201},
      {"edit does not give run", {"role:edit,resource:*"}, {"role:run,resource:servers"}, 403},
      {"CE-09 one good, one bad",
       {"role:view,resource:servers"},
       {"role:view,resource:servers", "role:view,resource:secrets"},
       403},
      {"CE-18 everything", {"role:view,resource:servers"}, {"role:edit,resource:*"}, 403},
      {"CE-29 an operation", {"role:edit,resource:*", "role:run,resource:*"}, {"action:logs"}, 403},
      {"whole servers give their tools", {"role:edit,resource:*"}, {"role:run,resource:tools"}, 201},
      {"the same name", {"role:view,resource:servers,name:a"}, {"role:view,resource:servers,name:a"}, 201},
      {"a name within all", {"role:view,resource:servers"}, {"role:view,resource:server,name:a"}, 201},
      {"tools within a server", {"role:view,resource:servers,name:a"}, {"role:run,resource:tools,name:a/query_*"}, 201},
      {"tools of another server", {"role:view,resource:servers,name:a"}, {"role:run,resource:tools,name:b/x"}, 403},
  };
  Tokens world;
  int number = 0;
  for (const auto& one : cases) {
    CAPTURE(one.what);
    const auto who = world.minter("u" + std::to_string(number++) + "@example.org", one.held);
    const auto before = world.count();
    const auto reply = world.expect(one.status, who, "POST", kTokens,
                                    Tokens::body("t" + std::to_string(number), Tokens::bindings(one.wanted)));
    CHECK(world.count() == before + (one.status == 201 ? 1 : 0));
    if (one.status == 403)
      CHECK(reply.text("message") ==
            "you do not hold " + rbac::to_text(*rbac::parse_binding(one.wanted.back())) + " yourself");
  }
}

TEST_CASE("bad bindings are 400, never 'no check' (CE-04, 08, 10, 15, 16, 17, 30)") {
  Tokens world;
  const char* bad[] = {
      R"("bindings":[{"role":"owner","resource":"servers"}])",
      R"("bindings":[{"role":"","resource":"servers"}])",
      R"("bindings":[{"role":"view","resource":"Servers"}])",
      R"("bindings":[{"role":"view ","resource":"servers"}])",
      R"("bindings":[{"role":"view","resource":"servers","name":""}])",
      R"("bindings":[{"role":"view","resource":"servers","name":null}])",
      R"("bindings":[{"role":"view","resource":"servers","name":"*"}])",
      R"("bindings":[{"role":"run","action":"logs","resource":"servers"}])",
      R"("bindings":[{"role":"run","action":"fly"}])",
      R"("bindings":[{"role":"view","role":"edit","resource":"servers"}])",
      R"("bindings":["role:edit,resource:servers,"])",
      R"("bindings":{"role":"view"})",
      R"("rbacMode":"all")",
      R"("ownerId":"x")",
      R"("hash":"x")",
      R"("revokedAt":"2030-01-01T00:00:00Z")",
      R"("ttl":"0d")",
      R"("ttl":"-1d")",
      R"("ttl":"soon")",
      R"("expiresAt":"2001-01-01T00:00:00Z")",
      R"("ttl":"1d","expiresAt":"2100-01-01T00:00:00Z")",
  };
  for (auto rest : bad) {
    CAPTURE(rest);
    CHECK(world.expect(400, world.root, "POST", kTokens, Tokens::body("t", rest)).text("error") == "invalid");
  }
  const std::vector<std::string> many(65, "role:view,resource:servers");
  world.expect(400, world.root, "POST", kTokens, Tokens::body("t", Tokens::bindings(many)));
  std::string huge = "role:view,resource:servers";
  world.expect(400, world.root, "POST", kTokens,
               Tokens::body("t", Tokens::bindings(std::vector<std::string>(10'000, huge))));
  CHECK(world.count() == 0);
  const std::vector<std::string> same(64, "role:view,resource:servers");
  const auto made = world.expect(201, world.root, "POST", kTokens, Tokens::body("t", Tokens::bindings(same)));
  CHECK(made.json.find("bindings")->items().size() == 1);
}

TEST_CASE("clone takes what a token can use, and says what it dropped (CE-11, 12, 13)") {
  Tokens world;
  const auto made = world.expect(201, world.root, "POST", kTokens, Tokens::body("all", R"("rbacMode":"clone")"));
  const auto text = json::to_text(*made.json.find("bindings"));
  CHECK(text.find("\"*\"") == std::string::npos);
  CHECK(text.find("action") == std::string::npos);
  CHECK(text.find(R"({"role":"view","resource":"servers"})") != std::string::npos);
  CHECK(text.find(R"({"role":"view","resource":"projects","name":"p"})") != std::string::npos);
  CHECK(made.json.find("dropped")->items().size() >= 8);

  const auto member = world.minter("m@example.org", {});
  world.expect(201, world.root, "POST", "/api/v1/groups", R"({"name":"g","members":["m@example.org"]})");
  world.expect(201, world.root, "POST", "/api/v1/rbac",
               R"({"name":"r","subjects":["Group:g"],"roleBindings":["role:view,resource:servers,name:a"]})");
  const auto cloned = world.expect(201, member, "POST", kTokens, Tokens::body("mine", R"("rbacMode":"clone")"));
  CHECK(json::to_text(*cloned.json.find("bindings")).find(R"("name":"a")") != std::string::npos);
  world.expect(403, member, "POST", kTokens,
               Tokens::body("more", R"("rbacMode":"clone","bindings":["role:edit,resource:servers"])"));
  const auto both =
      world.expect(201, member, "POST", kTokens,
                   Tokens::body("both", R"("rbacMode":"clone","bindings":["role:run,resource:tools,name:a/x"])"));
  CHECK(json::to_text(*both.json.find("bindings")).find("a/x") != std::string::npos);

  // A right that came from the group goes with the membership.
  auto token = world.bearer(cloned.text("token"));
  CHECK(world.expect(200, token, "GET", "/api/v1/mcptokens/introspect").body.find("\"a\"") != std::string::npos);
  world.expect(200, world.root, "PATCH", "/api/v1/groups/g", R"({"members":[]})");
  CHECK(world.expect(200, token, "GET", "/api/v1/mcptokens/introspect").body.find("\"a\"") == std::string::npos);
}

TEST_CASE("minting needs the project and the name (CE-14)") {
  Tokens world;
  const auto who = world.minter("u@example.org", {});
  auto foreign = world.expect(403, who, "POST", kTokens, R"({"name":"t","project":"q"})");
  auto missing = world.expect(403, who, "POST", kTokens, R"({"name":"t","project":"z"})");
  CHECK(foreign.headers == missing.headers);
  CHECK(foreign.text("message") == "needs view:projects:q");
  CHECK(missing.text("message") == "needs view:projects:z");
  world.expect(404, world.root, "POST", kTokens, R"({"name":"t","project":"z"})");
  const auto narrow =
      world.user("n@example.org", {"role:view,resource:projects,name:p", "role:create,resource:mcptokens,name:p/one"});
  world.expect(403, narrow, "POST", kTokens, Tokens::body("two"));
  world.expect(201, narrow, "POST", kTokens, Tokens::body("one"));
  const auto viewer = world.user("v@example.org", {"role:view,resource:projects"});
  world.expect(403, viewer, "POST", kTokens, Tokens::body("three"));
}

TEST_CASE("where the run right is obligatory, viewing a server is no right to hand on its tools") {
  for (auto grant : {rbac::ToolGrant::view, rbac::ToolGrant::run}) {
    Settings settings;
    settings.tool_grant = grant;
    settings.ceiling = rbac::Ceiling::mint;
    Tokens world(std::move(settings));
    const auto viewer = world.minter("v@example.org", {"role:view,resource:servers"});
    const auto body = Tokens::body("t", R"("bindings":["role:run,resource:tools,name:s/*"])");
    world.expect(grant == rbac::ToolGrant::view ? 201 : 403, viewer, "POST", kTokens, body);
  }
}

TEST_CASE("a maximum lifetime binds everybody") {
  Settings settings;
  settings.max_token_ttl_ms = 30 * kDay;
  Tokens world(std::move(settings));
  for (auto rest : {"", R"("ttl":"never")", R"("ttl":"31d")", R"("expiresAt":"2100-01-01T00:00:00Z")"})
    CHECK(world.expect(400, world.root, "POST", kTokens, Tokens::body("t", rest)).text("message").find("at most") !=
          std::string::npos);
  world.expect(201, world.root, "POST", kTokens, Tokens::body("t", R"("ttl":"30d")"));
}

TEST_CASE("a name is taken while its token lives; force replaces, expiry frees (CE-23)") {
  Tokens world;
  const auto first = world.expect(201, world.root, "POST", kTokens,
                                  Tokens::body("t", R"("ttl":"1d","bindings":["role:view,resource:servers"])"));
  const auto taken = world.expect(409, world.root, "POST", kTokens, Tokens::body("t"));
  CHECK(taken.text("error") == "already_exists");
  CHECK(taken.text("hint").find("--force") != std::string::npos);
  // Replacing is revoking: it needs the right to.
  const auto other = world.minter("o@example.org", {});
  world.expect(403, other, "POST", kTokens, Tokens::body("t", R"("force":true)"));
  CHECK(world.expect(200, world.root, "GET", "/api/v1/mcptokens/" + first.text("id")).text("status") == "active");
  const auto second = world.expect(201, world.root, "POST", kTokens, Tokens::body("t", R"("force":true,"ttl":"1d")"));
  CHECK(second.text("token") != first.text("token"));
  CHECK(world.expect(200, world.root, "GET", "/api/v1/mcptokens/" + first.text("id")).text("status") == "revoked");
  world.expect(404, world.root, "GET", "/api/v1/rbac/mcptoken-" + first.text("id"));
  CHECK(world.events(audit::Kind::token_revoked).size() == 1);
  // A bad force loses nothing.
  world.expect(400, world.root, "POST", kTokens, Tokens::body("t", R"("force":true,"ttl":"soon")"));
  CHECK(world.expect(200, world.root, "GET", "/api/v1/mcptokens/" + second.text("id")).text("status") == "active");
  world.clock.now += kDay;
  world.expect(201, other, "POST", kTokens, Tokens::body("t"));
}

TEST_CASE("revoking is for the owner, who holds the right, and the token itself (CE-24)") {
  Tokens world;
  const auto owner = world.minter("o@example.org", {});
  const auto stranger = world.minter("s@example.org", {});
  const auto deleter = world.user("d@example.org", {"role:delete,resource:mcptokens,name:p/*"});
  const auto mint = [&](const std::string& name) {
    return world.expect(201, owner, "POST", kTokens, Tokens::body(name));
  };
  const auto path = [](const Reply& made) { return "/api/v1/mcptokens/" + made.text("id"); };
  const auto a = mint("a"), b = mint("b"), c = mint("c");
  const auto refused = world.expect(403, stranger, "DELETE", path(a));
  const auto unknown = world.expect(403, stranger, "DELETE", "/api/v1/mcptokens/nope");
  CHECK(refused.headers == unknown.headers);
  world.expect(403, stranger, "GET", path(a));
  CHECK(world.expect(200, stranger, "GET", kTokens).json.find("items")->items().empty());
  CHECK(world.expect(200, owner, "GET", kTokens).json.find("items")->items().size() == 3);
  const auto itself = world.bearer(b.text("token"));
  world.expect(403, itself, "POST", path(a) + "/revoke");
  world.expect(403, itself, "GET", path(a));
  CHECK(world.expect(200, itself, "POST", path(b) + "/revoke").text("status") == "revoked");
  CHECK(world.expect(200, owner, "POST", path(a) + "/revoke").text("status") == "revoked");
  CHECK(world.expect(200, deleter, "DELETE", path(c)).text("status") == "revoked");
  const auto again = world.expect(200, owner, "DELETE", path(a));
  CHECK(again.text("revokeReason") == "revoked by o@example.org");
  CHECK(world.events(audit::Kind::token_revoked).size() == 3);  // once each
  CHECK(world.expect(200, owner, "GET", kTokens).json.find("items")->items().empty());
  CHECK(world.expect(200, owner, "GET", std::string(kTokens) + "?all=true").json.find("items")->items().size() == 3);
  world.expect(403, owner, "DELETE", path(a) + "?purge=true");
  world.expect(200, deleter, "DELETE", path(a) + "?purge=true");
  world.expect(404, world.root, "GET", path(a));
  const auto changes = world.events(audit::Kind::object_changed);
  const auto purged = std::find_if(changes.begin(), changes.end(), [](const audit::Event& event) {
    return event.payload.find("\"purged\"") != std::string::npos;
  });
  REQUIRE(purged != changes.end());
  CHECK(purged->subject == "mcptoken/a");
  CHECK(purged->project == "p");
  CHECK(purged->user == deleter.user_email);
  CHECK(purged->token_sha == token::hash(a.text("token")));
}

TEST_CASE("what happens to a token is found by its name and its hash") {
  Tokens world;
  const auto owner = world.minter("o@example.org", {});
  const auto made = world.expect(201, owner, "POST", kTokens,
                                 Tokens::body("a", R"("bindings":["role:view,resource:projects,name:p"])"));
  const auto path = "/api/v1/mcptokens/" + made.text("id");
  const auto next = world.expect(201, owner, "POST", path + "/rotate", R"({"grace":"1h"})");
  world.expect(200, owner, "POST", path + "/revoke");
  const auto found = [&](const std::string& query) {
    std::string out;
    const auto reply = world.expect(200, world.root, "GET", "/api/v1/audit/events?" + query);
    for (const auto& item : reply.json.find("items")->items())
      out += item.text("kind") + " ";
    return out;
  };
  CHECK(found("tokenSha=" + made.text("tokenSha")) == "token_revoked token_rotated token_created ");
  CHECK(found("tokenSha=" + next.text("tokenSha")) == "token_created ");
  CHECK(found("tokenName=a&kind=token_rotated") == "token_rotated ");
  // The definition that holds its rights is its project's, too.
  for (const auto& event : world.events(audit::Kind::object_changed)) {
    if (event.subject.starts_with("rbac/mcptoken-")) CHECK(event.project == "p");
  }
}

TEST_CASE("a project's end is its tokens' end (CE-53); a user's too, when asked (CE-43)") {
  Tokens world;
  const auto owner = world.minter("o@example.org", {});
  const auto made = world.expect(201, owner, "POST", kTokens,
                                 Tokens::body("a", R"("bindings":["role:view,resource:projects,name:p"])"));
  const auto refused = world.expect(409, world.root, "DELETE", "/api/v1/users/o@example.org");
  CHECK(refused.text("message").find("token \"a\"") != std::string::npos);
  world.expect(200, world.root, "DELETE", "/api/v1/users/o@example.org?cascade=true");
  world.expect(404, world.root, "GET", "/api/v1/mcptokens/" + made.text("id"));
  CHECK(world.count() == 0);

  const auto other =
      world.expect(201, world.root, "POST", kTokens, Tokens::body("b", R"("bindings":["role:view,resource:servers"])"));
  world.expect(200, world.root, "DELETE", "/api/v1/projects/p");
  world.expect(404, world.root, "GET", "/api/v1/mcptokens/" + other.text("id"));
  world.expect(404, world.root, "GET", "/api/v1/rbac/mcptoken-" + other.text("id"));
  world.expect(201, world.root, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none"})");
  CHECK(world.count() == 0);
  const auto events = world.events(audit::Kind::token_revoked);
  REQUIRE(events.size() == 2);
  CHECK(events[0].project == "p");
}

TEST_CASE("introspection tells the token about itself, under the live ceiling (CE-42)") {
  Tokens world;
  const auto owner = world.minter("o@example.org", {});
  world.expect(201, world.root, "POST", "/api/v1/rbac",
               R"({"name":"extra","subjects":["User:o@example.org"],"roleBindings":["role:view,resource:servers"]})");
  const auto made = world.expect(201, owner, "POST", kTokens,
                                 Tokens::body("t", R"("ttl":"1d","bindings":["role:view,resource:servers"])"));
  const auto token = world.bearer(made.text("token"));
  const auto told = world.expect(200, token, "GET", "/api/v1/mcptokens/introspect");
  CHECK(told.json.find("ok")->as_bool() == true);
  CHECK(told.text("tokenName") == "t");
  CHECK(told.text("tokenSha") == made.text("tokenSha"));
  CHECK(told.text("projectName") == "p");
  CHECK(told.text("owner") == "o@example.org");
  CHECK(told.text("expiresAt") == made.text("expiresAt"));
  CHECK(json::to_text(*told.json.find("permissions")) == R"([{"role":"view","resource":"servers"}])");
  CHECK(told.json.find("revision")->as_int().value_or(0) > 0);
  CHECK(told.text("watchId") == to_hex(watch_id(world.control->keys(), token::hash(made.text("token")))));
  CHECK(check_ticket(world.control->keys(), told.text("watchTicket"), world.clock.now));
  world.expect(200, world.root, "DELETE", "/api/v1/rbac/extra");
  CHECK(json::to_text(*world.expect(200, token, "GET", "/api/v1/mcptokens/introspect").json.find("permissions")) ==
        "[]");
  world.expect(400, owner, "GET", "/api/v1/mcptokens/introspect");
}

TEST_CASE("a disabled user and the user's tokens hold nothing (CE-44)") {
  Tokens world;
  const auto owner = world.minter("o@example.org", {"role:view,resource:servers"});
  const auto made =
      world.expect(201, owner, "POST", kTokens, Tokens::body("t", R"("bindings":["role:view,resource:servers"])"));
  const auto token = world.bearer(made.text("token"));
  world.expect(200, world.root, "PATCH", "/api/v1/users/o@example.org", R"({"disabled":true})");
  world.expect(403, owner, "GET", "/api/v1/servers");
  CHECK(json::to_text(*world.expect(200, token, "GET", "/api/v1/mcptokens/introspect").json.find("permissions")) ==
        "[]");
  world.expect(200, world.root, "PATCH", "/api/v1/users/o@example.org", R"({"disabled":false})");
  world.expect(200, owner, "GET", "/api/v1/servers");
}

TEST_CASE("a watch ticket opens the feed for an hour, and nothing else") {
  Tokens world;
  const auto& keys = world.control->keys();
  const auto now = world.clock.now;
  const auto ticket = must(make_ticket(keys, now));
  CHECK(check_ticket(keys, ticket, now + limits::kWatchTicketMs - 1));
  const auto why = [&](std::string_view text, int64_t when) {
    const auto checked = check_ticket(keys, text, when);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().http == 401);
    CHECK(checked.error().code == "invalid_token");
    return checked.error().message;
  };
  CHECK(why(ticket, now + limits::kWatchTicketMs) == "the watch ticket has expired");
  for (size_t i = kTicketPrefix.size(); i < ticket.size(); i += 7) {
    auto changed = ticket;
    changed[i] = changed[i] == '0' ? '1' : '0';
    CHECK(why(changed, now) == "the watch ticket is not one of this server's");
  }
  for (const auto& text : {std::string(kTicketPrefix), ticket.substr(0, ticket.size() - 2), ticket + "00", ticket.substr(1)})
    CHECK(why(text, now) == "the watch ticket is malformed");
  crypto::Key other{};
  CHECK_FALSE(check_ticket(Keys::from_master(other), ticket, now));
  CHECK(watch_id(keys, {}) != watch_id(Keys::from_master(other), {}));

  rbac::Principal watcher;
  watcher.kind = rbac::PrincipalKind::watcher;
  for (const auto& route : routes()) {
    CAPTURE(route.pattern);
    if (route.pattern == "/api/v1/mcptokens/changes") continue;
    Params params;
    const auto admitted = admit(watcher, route, params);
    REQUIRE_FALSE(admitted);
    CHECK(admitted.error().code == "forbidden");
  }
  CHECK(world.expect(200, watcher, "GET", "/api/v1/mcptokens/changes?since=7").body == R"({"revision":7,"changed":[]})");
  for (const auto query : {"", "?since=", "?since=-1", "?since=1x", "?since=1&other=2"})
    world.expect(400, watcher, "GET", std::string("/api/v1/mcptokens/changes") + query);
}

TEST_CASE("rotation: the new one is there before the old one ends (BR-38)") {
  Tokens world;
  const auto made = world.expect(201, world.root, "POST", kTokens,
                                 Tokens::body("t", R"("ttl":"10d","bindings":["role:view,resource:servers"])"));
  world.clock.now += kDay;
  const auto rotated = world.expect(201, world.root, "POST", std::string(kTokens) + "/t/rotate?project=p", R"({"grace":"1h"})");
  CHECK(rotated.text("token") != made.text("token"));
  CHECK(rotated.text("name") == "t");
  CHECK(rotated.text("expiresAt") == to_iso8601(world.clock.now + 10 * kDay));
  CHECK(json::to_text(*rotated.json.find("bindings")) == R"([{"role":"view","resource":"servers"}])");
  CHECK(rotated.json.find("replaced")->text("expiresAt") == to_iso8601(world.clock.now + kDay / 24));
  const auto old = std::string(kTokens) + "/" + made.text("id");
  CHECK(world.expect(200, world.root, "GET", old).text("status") == "superseded");
  CHECK(world.expect(200, world.root, "GET", old).text("supersededBy") == rotated.text("id"));
  world.expect(409, world.root, "POST", old + "/rotate");
  CHECK(world.expect(200, world.root, "GET", std::string(kTokens) + "/t?project=p").text("id") == rotated.text("id"));
  world.clock.now += kDay / 24;
  CHECK(world.expect(200, world.root, "GET", old).text("status") == "expired");
  REQUIRE(world.events(audit::Kind::token_rotated).size() == 1);
  CHECK(world.events(audit::Kind::token_revoked).empty());

  world.expect(400, world.root, "POST", std::string(kTokens) + "/t/rotate?project=p", R"({"grace":"31d"})");
  world.expect(400, world.root, "POST", std::string(kTokens) + "/t/rotate?project=p", R"({"other":"1h"})");
  const auto weak = world.minter("w@example.org", {});
  world.expect(403, weak, "POST", std::string(kTokens) + "/t/rotate?project=p");  // beyond what he holds himself
  world.expect(403, world.bearer(rotated.text("token")), "POST", std::string(kTokens) + "/" + rotated.text("id") + "/rotate");

  world.write([&](store::Tx& tx) -> Result<void> {
    MCPT_TRY(auto gone, tx.purge_ended_tokens(tx.now_ms(), 100));
    CHECK(gone == 0);
    return {};
  });
  world.clock.now++;
  world.write([&](store::Tx& tx) -> Result<void> {
    MCPT_TRY(auto gone, tx.purge_ended_tokens(tx.now_ms(), 100));
    CHECK(gone == 1);
    return {};
  });
  world.expect(404, world.root, "GET", old);
}

TEST_CASE("lists of tokens: by state, by use, by end") {
  Tokens world;
  const auto make = [&](const std::string& name, const std::string& ttl) {
    return world.expect(201, world.root, "POST", kTokens, Tokens::body(name, R"("ttl":")" + ttl + "\""));
  };
  const auto used = make("used", "never");
  make("idle", "40d");
  make("short", "1d");
  const auto dead = make("dead", "never");
  make("turned", "never");
  world.expect(200, world.root, "DELETE", std::string(kTokens) + "/" + dead.text("id"));
  world.expect(201, world.root, "POST", std::string(kTokens) + "/turned/rotate?project=p");
  world.clock.now += 35 * kDay;
  world.write([&](store::Tx& tx) {
    store::TokenUse use;
    use.sha = token::hash(used.text("token"));
    use.used_ms = tx.now_ms();
    return tx.touch_tokens(std::span(&use, 1));
  });
  const auto names = [&](const std::string& query) {
    std::string out;
    const auto listed = world.expect(200, world.root, "GET", std::string(kTokens) + "?" + query);
    for (const auto& item : listed.json.find("items")->items())
      out += (out.empty() ? "" : " ") + item.text("name");
    return out;
  };
  CHECK(names("project=p") == "idle short turned used");
  CHECK(names("all=true") == "dead idle short turned turned used");
  CHECK(names("status=revoked") == "dead");
  CHECK(names("status=expired") == "short turned");
  CHECK(names("status=active") == "idle turned used");
  CHECK(names("unused=30d") == "idle short turned");
  CHECK(names("expiring=7d") == "idle");
  CHECK(names("expiring=4d").empty());
  world.expect(400, world.root, "GET", std::string(kTokens) + "?status=gone");
  world.expect(400, world.root, "GET", std::string(kTokens) + "?unused=soon");
}

TEST_CASE("a project and an owner have room for so many usable tokens") {
  Settings settings;
  settings.max_tokens = 2;
  Tokens world(std::move(settings));
  world.expect(201, world.root, "POST", kTokens, Tokens::body("a", R"("ttl":"1d")"));
  world.expect(201, world.root, "POST", kTokens, Tokens::body("b"));
  CHECK(world.expect(409, world.root, "POST", kTokens, Tokens::body("c")).text("error") == "too_many_tokens");
  const auto other = world.minter("m@example.org", {});
  CHECK(world.expect(409, other, "POST", kTokens, Tokens::body("c")).text("message").starts_with("the project has 2"));
  CHECK(world.expect(409, world.root, "POST", kTokens, R"({"name":"c","project":"q"})").text("message").starts_with("you have 2"));
  world.expect(201, world.root, "POST", kTokens, Tokens::body("b", R"("force":true)"));  // takes no new place
  const auto rotate = std::string(kTokens) + "/b/rotate?project=p";
  CHECK(world.expect(409, world.root, "POST", rotate, R"({"grace":"1h"})").text("error") == "too_many_tokens");
  world.expect(201, world.root, "POST", rotate);  // without a grace the old one makes room for the new one
  world.clock.now += kDay;
  world.expect(201, other, "POST", kTokens, Tokens::body("c"));  // the expired one counts no more
}

TEST_CASE("a rotation keeps to the longest lifetime that is allowed now") {
  Tokens world;
  world.expect(201, world.root, "POST", kTokens, Tokens::body("t", R"("ttl":"10d")"));
  const auto rotate = std::string(kTokens) + "/t/rotate?project=p";
  world.expect(201, world.root, "POST", rotate);
  Settings settings;
  settings.max_token_ttl_ms = 5 * kDay;
  world.configure(std::move(settings));
  CHECK(world.expect(400, world.root, "POST", rotate).text("message").starts_with("ttl: this server allows"));
  world.expect(201, world.root, "POST", rotate, R"({"ttl":"5d"})");
}
