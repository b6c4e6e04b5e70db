#include "service/auth.h"

#include <doctest/doctest.h>

#include "base/bytes.h"

using namespace mcptoken;
using namespace mcptoken::service;

namespace {

constexpr int64_t kNow = 1'800'000'000'000;

// A snapshot with users, one project and whatever tokens a test puts in.
struct Fixture {
  Fixture() {
    REQUIRE(crypto::init());
    (*users)["u1"].email = "u1@example.org";
    (*users)["u2"].disabled = true;
    auto view = std::make_shared<gateway::ProjectView>();
    view->id = "p1";
    (*projects)["p1"] = view;
    snapshot.users = users;
    snapshot.projects = projects;
    snapshot.sessions = sessions;
  }
  // Borrows what it is given.
  store::TokenFacts entry(const std::string& raw, std::string_view user = "u1", std::string_view project = "p1") {
    store::TokenFacts out;
    out.sha = token::hash(raw);
    out.owner_id = user;
    out.project_id = project;
    return out;
  }
  std::string mint(token::Kind kind = token::Kind::pat) {
    auto minted = token::mint(kind);
    REQUIRE(minted);
    return std::string(minted->raw.reveal());
  }
  Result<std::optional<Identity>> ask(std::vector<std::string> credentials, std::string query = "") {
    Head head;
    head.query = std::move(query);
    for (auto& value : credentials)
      head.headers.add("authorization", value);
    return authenticate(snapshot, keys, head, kNow);
  }
  // The code of the refusal, "" when admitted, "none" without credentials.
  std::string code(std::vector<std::string> credentials, std::string query = "") {
    auto identity = ask(std::move(credentials), std::move(query));
    if (identity) return *identity ? "" : "none";
    CHECK(identity.error().http == (identity.error().code == "invalid_request" ? 400 : 401));
    CHECK_FALSE(identity.error().hint.empty());
    return identity.error().code;
  }
  std::string why(const std::string& raw) {
    auto identity = ask({"Bearer " + raw});
    REQUIRE_FALSE(identity);
    CHECK(identity.error().code == "invalid_token");
    CHECK(identity.error().message.find(raw) == std::string::npos);
    return identity.error().message;
  }

  using Users = std::unordered_map<std::string, UserEntry>;
  using Projects = std::unordered_map<std::string, std::shared_ptr<const gateway::ProjectView>>;
  using Sessions = std::unordered_map<crypto::Digest, SessionEntry, DigestHash>;
  std::shared_ptr<Users> users = std::make_shared<Users>();
  std::shared_ptr<Projects> projects = std::make_shared<Projects>();
  std::shared_ptr<Sessions> sessions = std::make_shared<Sessions>();
  Snapshot snapshot;
  const control::Keys keys = control::Keys::from_master(crypto::Key{});
};

std::optional<std::string> path_of(const std::string& target, std::string* query = nullptr) {
  Head head;
  head.target = target;
  auto parsed = parse_target(head);
  if (!parsed) {
    CHECK(parsed.error().http == 400);
    return std::nullopt;
  }
  if (query) *query = head.query;
  std::string out;
  for (auto& segment : head.path)
    out += "[" + segment + "]";
  return out;
}

}  // namespace

TEST_CASE("auth: targets") {
  struct Row {
    std::string target, path, query;
  };
  const Row rows[] = {
      {"/", "", ""},
      {"/?", "", ""},
      {"/?a=b?c", "", "a=b?c"},
      {"/mcp", "[mcp]", ""},
      {"/projects/p/mcp?x=/../", "[projects][p][mcp]", "x=/../"},
      {"/a%20b/%c3%a4/+", "[a b][\xc3\xa4][+]", ""},
      {"/...", "[...]", ""},
      {"/.a", "[.a]", ""},
      {"/%7Euser", "[~user]", ""},
      {"/a%3Fb?c", "[a?b]", "c"},
      {"/%2541", "[%41]", ""},  // decoded once
  };
  for (auto& row : rows) {
    CAPTURE(row.target);
    std::string query;
    CHECK(path_of(row.target, &query) == std::optional<std::string>(row.path));
    CHECK(query == row.query);
  }
  const std::string refused[] = {
      "",
      "*",
      "mcp",
      "http://host/mcp",
      "host:443",
      "?a",
      "//",
      "//mcp",
      "/a//b",
      "/a/",
      "/.",
      "/..",
      "/a/../b",
      "/a/./b",
      "/%2e",
      "/%2E%2e/x",
      "/.%2e",
      "/a%2fb",
      "/a%2Fb",
      "/a%5cb",
      "/a\\b",
      "/%00",
      "/a%00",
      "/%",
      "/%2",
      "/a%",
      "/%zz",
      "/%2g",
      "/%0a",
      "/%0d",
      "/%7f",
      "/a%09",
      "/\x01",
      std::string("/a\0b", 4),
      "/a/%2e%2e/b",
  };
  for (auto& target : refused) {
    CAPTURE(target);
    CHECK_FALSE(path_of(target));
  }
}

TEST_CASE("auth: queries") {
  auto ok = parse_query("a=1&b=&c&d=x%20y+z&e=%3D%26&%66=g=h");
  REQUIRE(ok);
  CHECK(*ok == std::map<std::string, std::string>{
                   {"a", "1"}, {"b", ""}, {"c", ""}, {"d", "x y z"}, {"e", "=&"}, {"f", "g=h"}});
  CHECK(parse_query("")->empty());
  const std::string raw_nul[] = {std::string("a\0=1", 4), std::string("a=\0", 3)};
  for (auto& query : raw_nul)
    CHECK_FALSE(parse_query(query));
  for (const char* query :
       {"a=1&a=2", "a=1&a=1", "a&%61", "=1", "&", "a=1&", "&a=1", "a=%", "a=%4", "a=%zz", "%=1", "a=%00", "%00=1"}) {
    CAPTURE(query);
    auto bad = parse_query(query);
    REQUIRE_FALSE(bad);
    CHECK(bad.error().http == 400);
    CHECK(bad.error().code == "invalid_request");
  }
}

TEST_CASE_FIXTURE(Fixture, "auth: credentials and their shapes") {
  auto raw = mint();
  snapshot.tokens.put(entry(raw));
  CHECK(code({}) == "none");
  for (auto& text : {std::string("Basic dTpw"), std::string(), raw, "Bearer" + raw})
    CHECK(code({text}) == "none");
  for (const char* scheme : {"Bearer ", "bearer ", "BEARER ", "bEaReR   ", "  Bearer "})
    CHECK(code({scheme + raw}) == "");
  CHECK(code({"Bearer " + raw + " \t"}) == "");

  std::string changed = raw;
  changed.back() = changed.back() == 'a' ? 'b' : 'a';
  std::string upper = raw;
  upper[0] = 'M';
  for (auto& text : {std::string("Bearer"), std::string("Bearer "), "Bearer x" + raw, "Bearer " + raw + "x",
                     "Bearer " + raw.substr(0, 53), "Bearer " + upper, "Bearer mcpctl_xyz_" + raw.substr(11),
                     "Bearer " + raw + " " + raw, "Bearer \"" + raw + "\"", "Bearer " + changed}) {
    CAPTURE(text);
    CHECK(code({text}) == "invalid_token");
  }
  CHECK(code({"Bearer " + raw, "Bearer " + raw}) == "invalid_request");
  CHECK(code({"Basic dTpw", "Bearer " + raw}) == "invalid_request");
  CHECK(code({"Bearer " + raw + ", Bearer " + raw}) == "invalid_request");
  CHECK(code({"Bearer " + raw + ",Basic x"}) == "invalid_request");
  // A token in the query is refused even beside a good header: it is in somebody's log by now.
  for (const char* query :
       {"access_token=x", "a=1&access_token=x", "access%5Ftoken=x", "access_token", "%61ccess_token=x&b"}) {
    CAPTURE(query);
    CHECK(code({"Bearer " + raw}, query) == "invalid_request");
    CHECK(code({}, query) == "invalid_request");
  }
  // A raw one under whatever name, in whatever spelling.
  std::string escaped = raw;
  escaped.replace(6, 1, "%5f");
  for (const auto& query : {"token=" + raw, "a=1&q=see+" + raw + "!", raw, raw + "=1", "x=" + escaped}) {
    CAPTURE(query);
    CHECK(code({"Bearer " + raw}, query) == "invalid_request");
    CHECK(code({}, query) == "invalid_request");
  }
  CHECK(code({"Bearer " + raw}, "xaccess_token=1&q=access_token") == "");
  CHECK(code({"Bearer " + raw}, "token=mcpctl_pat_x&prefix=" + raw.substr(0, 15)) == "");
}

TEST_CASE_FIXTURE(Fixture, "auth: what a token must be") {
  auto identity_of = [&](const std::string& raw) {
    auto identity = ask({"Bearer " + raw});
    REQUIRE(identity);
    REQUIRE(*identity);
    return std::move(**identity);
  };
  auto good = mint();
  snapshot.tokens.put(entry(good));
  auto identity = identity_of(good);
  CHECK(identity.is_token());
  CHECK(identity.who->token_sha == to_hex(token::hash(good)));
  CHECK(identity.bearer.reveal() == good);
  CHECK(still_valid(snapshot, identity, kNow));
  CHECK(why(mint()).find("unknown") != std::string::npos);

  auto expiring = mint();
  auto one = entry(expiring);
  one.expires_ms = kNow + 1;
  snapshot.tokens.put(one);
  auto running = identity_of(expiring);
  CHECK(still_valid(snapshot, running, kNow));
  CHECK_FALSE(still_valid(snapshot, running, kNow + 1));
  one.expires_ms = kNow;  // the instant itself is too late
  snapshot.tokens.put(one);
  CHECK(why(expiring).find("expired") != std::string::npos);
  one.superseded = true;
  snapshot.tokens.put(one);
  CHECK(why(expiring).find("replaced") != std::string::npos);
  one.expires_ms = kNow + 1;  // in its grace period
  snapshot.tokens.put(one);
  identity_of(expiring);
  one.revoked_ms = kNow;
  snapshot.tokens.put(one);
  CHECK(why(expiring).find("revoked") != std::string::npos);
  CHECK_FALSE(still_valid(snapshot, running, kNow));

  auto of_disabled = mint(), of_gone = mint(), homeless = mint();
  snapshot.tokens.put(entry(of_disabled, "u2"));
  snapshot.tokens.put(entry(of_gone, "u3"));
  snapshot.tokens.put(entry(homeless, "u1", "p2"));
  CHECK(why(of_disabled).find("owner") != std::string::npos);
  CHECK(why(of_gone).find("owner") != std::string::npos);
  CHECK(why(homeless).find("project") != std::string::npos);
  (*users)["u1"].disabled = true;
  CHECK(why(good).find("owner") != std::string::npos);
  CHECK_FALSE(still_valid(snapshot, identity, kNow));
}

TEST_CASE_FIXTURE(Fixture, "auth: a token that was just revoked may report, and nothing else") {
  const auto raw = mint();
  auto one = entry(raw);
  one.revoked_ms = kNow;
  auto reports = [&](int64_t revoked_ms, int64_t now_ms) {
    one.revoked_ms = revoked_ms;
    snapshot.tokens.put(one);
    CHECK(code({"Bearer " + raw}) == "invalid_token");
    Head head;
    head.headers.add("authorization", "Bearer " + raw);
    return authenticate_reporter(snapshot, keys, head, now_ms).has_value();
  };
  CHECK(reports(kNow, kNow));
  CHECK(reports(kNow - 59'999, kNow));
  CHECK_FALSE(reports(kNow - 60'000, kNow));
  CHECK(reports(kNow + 5'000, kNow));  // the clock was set back: refused elsewhere all the same
  one.expires_ms = kNow;
  CHECK_FALSE(reports(kNow - 1, kNow));
}

TEST_CASE_FIXTURE(Fixture, "auth: login sessions") {
  constexpr int64_t kHour = 3600'000;
  auto raw = mint(token::Kind::session);
  SessionEntry session;
  session.id = "s1";
  session.user_id = "u1";
  auto judged = [&](int64_t created_ago, int64_t used_ago) {
    session.created_ms = kNow - created_ago;
    session.last_used_ms = kNow - used_ago;
    (*sessions)[token::hash(raw)] = session;
    return code({"Bearer " + raw});
  };
  CHECK(code({"Bearer " + raw}) == "invalid_token");
  CHECK(judged(13 * kHour, 12 * kHour - 1) == "");
  CHECK(judged(13 * kHour, 12 * kHour) == "invalid_token");
  CHECK(judged(30 * 24 * kHour - 1, 0) == "");
  CHECK(judged(30 * 24 * kHour, 0) == "invalid_token");
  CHECK(judged(kHour, 0) == "");
  auto identity = ask({"Bearer " + raw});
  REQUIRE(identity);
  CHECK((*identity)->who->kind == rbac::PrincipalKind::user);
  CHECK((*identity)->who->user_email == "u1@example.org");
  CHECK((*identity)->who->session_id == "s1");
  CHECK(still_valid(snapshot, **identity, kNow));
  // The two kinds do not open each other's doors.
  snapshot.tokens.put(entry(raw));
  sessions->clear();
  CHECK_FALSE(still_valid(snapshot, **identity, kNow));
  CHECK(code({"Bearer " + raw}) == "invalid_token");
  session.user_id = "u2";
  CHECK(judged(kHour, 0) == "invalid_token");
}

TEST_CASE("auth: only what never was a credential is a guess") {
  Fixture fixture;
  const auto known = fixture.mint();
  auto revoked = fixture.entry(known);
  revoked.revoked_ms = kNow;
  fixture.snapshot.tokens.put(revoked);
  const auto guess = [&](const std::string& credential) {
    auto identity = fixture.ask({credential});
    REQUIRE_FALSE(identity);
    return is_guess(identity.error());
  };
  CHECK(guess("Bearer " + fixture.mint()));
  CHECK(guess("Bearer mcpctl_pat_x"));
  CHECK_FALSE(guess("Bearer " + known));
  CHECK_FALSE(is_guess(no_credentials()));
  CHECK_FALSE(is_guess(no_project_token(kSession)));
}
