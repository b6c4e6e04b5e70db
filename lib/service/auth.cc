#include "service/auth.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/limits.h"
#include "control/watch.h"
#include "http/percent.h"
#include "json/value.h"
#include "service/query_tokens.h"
#include "token/find.h"

namespace mcptoken::service {
namespace {

// Reasons as they stand in Error::data.
constexpr std::string_view kMalformed = R"("malformed")", kUnknown = R"("unknown")";

// `reason`: one word for programs, which introspection tells.
Error invalid_token(std::string why, std::string_view reason) {
  return Error(Status::unauthenticated, std::move(why))
      .with_code("invalid_token")
      .with_http(401)
      .with_hint("create a token: mcpctl create mcptoken NAME -p PROJECT")
      .with_data(json::to_text(json::Value::string(std::string(reason))));
}
Error ended_session(std::string why) {
  return invalid_token(std::move(why), "session_ended").with_hint("log in: mcpctl login");
}
Error invalid_request(std::string why) {
  return Error(Status::invalid, std::move(why))
      .with_code("invalid_request")
      .with_http(400)
      .with_hint("send one Authorization header: Bearer TOKEN");
}

constexpr int64_t kNever = INT64_MAX;

// One that was revoked later than `good_after_ms` is still found good.
Result<TokenEntry> judge_token(const Snapshot& snapshot, const crypto::Digest& sha, int64_t now_ms, int64_t good_after_ms) {
  const auto token = snapshot.tokens.find(sha);
  if (!token) return fail(invalid_token("the token is unknown", "unknown"));
  if (token->revoked() && token->revoked_ms() <= good_after_ms) return fail(invalid_token("the token was revoked", "revoked"));
  if (now_ms >= token->expires_ms())
    return fail(token->superseded()
                    ? invalid_token("the token was replaced and its grace period has ended", "superseded")
                    : invalid_token("the token has expired", "expired"));
  auto owner = snapshot.users->find(token->owner_id());
  if (owner == snapshot.users->end() || owner->second.disabled)
    return fail(invalid_token("the token's owner is disabled or gone", "owner_gone"));
  if (!snapshot.projects->contains(token->project_id())) return fail(invalid_token("the token's project is gone", "project_gone"));
  return *token;
}

struct Session {
  PrincipalPtr who;
  int64_t until_ms;
};

Result<Session> judge_session(const Snapshot& snapshot, const crypto::Digest& sha, int64_t now_ms) {
  auto it = snapshot.sessions->find(sha);
  if (it == snapshot.sessions->end()) return fail(ended_session("the session has ended"));
  const SessionEntry& session = it->second;
  const int64_t until_ms = std::min(session.created_ms + store::kLoginMaxMs, session.last_used_ms + store::kLoginIdleMs);
  if (now_ms >= until_ms) return fail(ended_session("the session has expired"));
  auto user = snapshot.users->find(session.user_id);
  if (user == snapshot.users->end() || user->second.disabled) return fail(invalid_token("the user is disabled or gone", "owner_gone"));
  auto who = std::make_shared<rbac::Principal>();
  who->kind = rbac::PrincipalKind::user;
  who->user_id = session.user_id;
  who->user_email = user->second.email;
  who->session_id = session.id;
  return Session{std::move(who), until_ms};
}

// A raw credential under whatever name, or what other servers take one from.
bool has_query_token(std::string_view query) {
  if (query.empty()) return false;
  for (std::string_view part : split(query, '&')) {
    const auto text = http::percent_decode(part, http::Plus::space);
    if (text && (text->substr(0, text->find('=')) == "access_token" || !token::find_raw(*text).empty())) return true;
  }
  return false;
}

}  // namespace

Result<void> parse_target(Head& head) {
  std::string_view target = head.target;
  auto bad = [] { return fail(Error(Status::invalid, "the request target is malformed").with_code("invalid_request").with_http(400)); };
  if (!target.starts_with('/')) return bad();
  size_t mark = target.find('?');
  if (mark != std::string_view::npos) head.query = target.substr(mark + 1);
  std::string_view path = target.substr(1, mark == std::string_view::npos ? mark : mark - 1);
  if (path.empty()) return {};
  head.path.reserve(static_cast<size_t>(std::count(path.begin(), path.end(), '/')) + 1);
  for (bool last = false; !last;) {
    const size_t end = path.find('/');
    last = end == std::string_view::npos;
    auto segment = http::percent_decode(path.substr(0, end), http::Plus::plus);
    if (!segment || segment->empty() || *segment == "." || *segment == "..") return bad();
    for (char c : *segment) {
      if (c == '/' || c == '\\' || static_cast<uint8_t>(c) < 0x20 || c == 0x7f) return bad();
    }
    head.path.push_back(*std::move(segment));
    if (!last) path.remove_prefix(end + 1);
  }
  return {};
}

Result<std::map<std::string, std::string>> parse_query(std::string_view query) {
  std::map<std::string, std::string> out;
  if (query.empty()) return out;
  for (std::string_view part : split(query, '&')) {
    size_t equals = part.find('=');
    auto name = http::percent_decode(part.substr(0, equals), http::Plus::space);
    auto value = equals == std::string_view::npos ? std::optional<std::string>("")
                                                  : http::percent_decode(part.substr(equals + 1), http::Plus::space);
    if (!name || !value || name->empty() || !out.emplace(*name, *value).second) {
      return fail(Error(Status::invalid, "the query is malformed").with_code("invalid_request").with_http(400));
    }
  }
  return out;
}

bool is_guess(const Error& refusal) { return refusal.data == kMalformed || refusal.data == kUnknown; }

Error no_credentials() {
  return Error(Status::unauthenticated, "a token is required").with_code("unauthorized").with_http(401).with_hint(
      "send Authorization: Bearer TOKEN; create one with: mcpctl create mcptoken NAME -p PROJECT");
}

Error no_project_token(std::string_view given) {
  return Error(Status::unauthenticated, "MCP endpoints take project tokens, not " + std::string(given))
      .with_code("invalid_token")
      .with_http(401)
      .with_hint("create a token: mcpctl create mcptoken NAME -p PROJECT");
}

namespace {

// What stands behind the scheme.
Result<std::optional<std::string_view>> raw_bearer(const Head& head) {
  bool repeated = false;
  const auto credentials = head.headers.find("authorization", &repeated);
  if (has_query_token(head.query)) return fail(invalid_request("a token in the query is refused, and may have leaked: revoke it"));
  if (repeated) return fail(invalid_request("two credentials"));
  if (!credentials) return std::optional<std::string_view>();
  std::string_view value = trim(*credentials);
  size_t space = value.find(' ');
  if (!equals_ignoring_case(value.substr(0, space), "Bearer")) return std::optional<std::string_view>();
  std::string_view raw = space == std::string_view::npos ? std::string_view() : value.substr(space);
  while (raw.starts_with(' ')) raw.remove_prefix(1);
  if (raw.find(',') != std::string_view::npos) return fail(invalid_request("two credentials"));
  return std::optional<std::string_view>(raw);
}

Result<Bearer> bearer_of(std::string_view raw) {
  if (raw.starts_with(control::kTicketPrefix)) return fail(no_project_token(kTicket));
  auto kind = token::classify(raw);
  if (!kind) return fail(invalid_token("the token is malformed", "malformed"));
  Bearer bearer;
  bearer.kind = *kind;
  bearer.sha = token::hash(raw);
  bearer.raw = crypto::Secret(raw);
  return bearer;
}

}  // namespace

std::vector<crypto::Digest> tokens_in_query(const Head& head) {
  std::vector<crypto::Digest> out;
  for (std::string_view part : split(head.query, '&')) {
    const auto text = http::percent_decode(part, http::Plus::space);
    const auto raw = text ? token::find_raw(*text) : std::string_view();
    if (!raw.empty()) out.push_back(token::hash(raw));
  }
  return out;
}

Result<std::optional<Bearer>> read_bearer(const Head& head) {
  MCPT_TRY(auto raw, raw_bearer(head));
  if (!raw) return std::optional<Bearer>();
  MCPT_TRY(auto bearer, bearer_of(*raw));
  return std::optional<Bearer>(std::move(bearer));
}

namespace {

Result<std::optional<Identity>> identify(const Snapshot& snapshot, const control::Keys& keys, const Head& head,
                                         int64_t now_ms, int64_t good_after_ms) {
  MCPT_TRY(auto raw, raw_bearer(head));
  if (!raw) return std::optional<Identity>();
  Identity identity;
  if (raw->starts_with(control::kTicketPrefix)) {
    MCPT_CHECK(control::check_ticket(keys, *raw, now_ms));
    auto watcher = std::make_shared<rbac::Principal>();
    watcher->kind = rbac::PrincipalKind::watcher;
    identity.who = std::move(watcher);
    return std::optional<Identity>(std::move(identity));
  }
  MCPT_TRY(auto bearer, bearer_of(*raw));
  identity.sha = bearer.sha;
  if (bearer.kind == token::Kind::pat) {
    MCPT_TRY(const auto token, judge_token(snapshot, identity.sha, now_ms, good_after_ms));
    identity.who = principal_of(snapshot, token);
    identity.until_ms = token.expires_ms();
  } else {
    MCPT_TRY(auto session, judge_session(snapshot, identity.sha, now_ms));
    identity.who = std::move(session.who);
    identity.until_ms = session.until_ms;
  }
  identity.bearer = std::move(bearer.raw);
  return std::optional<Identity>(std::move(identity));
}

}  // namespace

Result<std::optional<Identity>> authenticate(const Snapshot& snapshot, const control::Keys& keys, const Head& head,
                                             int64_t now_ms) {
  return identify(snapshot, keys, head, now_ms, kNever);
}

Result<std::optional<Identity>> authenticate_reporter(const Snapshot& snapshot, const control::Keys& keys, const Head& head,
                                                      int64_t now_ms) {
  return identify(snapshot, keys, head, now_ms, now_ms - limits::kReportAfterRevocationMs);
}

Result<int64_t> still_valid(const Snapshot& snapshot, const Identity& identity, int64_t now_ms) {
  if (identity.is_token()) {
    MCPT_TRY(const auto token, judge_token(snapshot, identity.sha, now_ms, kNever));
    return token.expires_ms();
  }
  MCPT_TRY(const auto session, judge_session(snapshot, identity.sha, now_ms));
  return session.until_ms;
}

}  // namespace mcptoken::service
