#include "audit/event.h"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "audit/table.h"
#include "audit/tidy.h"
#include "base/bytes.h"

namespace mcptoken::audit {
namespace {

template <class T>
struct Name {
  T value;
  std::string_view text;
};

constexpr Name<Kind> kKinds[] = {
    {Kind::session_bind, "session_bind"},       {Kind::rbac_decision, "rbac_decision"},
    {Kind::tool_call_trace, "tool_call_trace"}, {Kind::gate_decision, "gate_decision"},
    {Kind::prompt_delivery, "prompt_delivery"}, {Kind::pipeline_execution, "pipeline_execution"},
    {Kind::token_created, "token_created"},     {Kind::token_revoked, "token_revoked"},
    {Kind::token_rotated, "token_rotated"},     {Kind::token_leak_suspected, "token_leak_suspected"},
    {Kind::object_changed, "object_changed"},   {Kind::login, "login"},
    {Kind::login_failed, "login_failed"},       {Kind::events_lost, "events_lost"},
    {Kind::backup_made, "backup_made"},         {Kind::backup_restored, "backup_restored"},
    {Kind::audit_purged, "audit_purged"},       {Kind::traffic_watched, "traffic_watched"},
};
constexpr Name<Outcome> kOutcomes[] = {
    {Outcome::ok, "ok"},
    {Outcome::tool_error, "tool error"},
    {Outcome::protocol_error, "protocol error"},
    {Outcome::transport_error, "transport error"},
    {Outcome::denied, "denied"},
};

template <class T, size_t N>
std::string_view text_in(const Name<T> (&table)[N], T value) {
  auto row = std::find_if(std::begin(table), std::end(table), [&](const auto& one) { return one.value == value; });
  return row == std::end(table) ? std::string_view("unknown") : row->text;
}

template <class T, size_t N>
std::optional<T> value_in(const Name<T> (&table)[N], std::string_view text) {
  auto row = std::find_if(std::begin(table), std::end(table), [&](const auto& one) { return one.text == text; });
  if (row == std::end(table)) return std::nullopt;
  return row->value;
}

// Lean on purpose: calls are written at high rates, and one index is all they pay for.
constexpr db::Migration kMigrations[] = {
    {1, R"sql(
CREATE TABLE audit (
  seq             INTEGER PRIMARY KEY AUTOINCREMENT,
  time_ms         INTEGER NOT NULL,
  kind            INTEGER NOT NULL,
  outcome         INTEGER NOT NULL,
  project         TEXT NOT NULL,
  session         TEXT NOT NULL,
  user            TEXT NOT NULL,
  token_name      TEXT NOT NULL,
  token_sha       BLOB,
  client_name     TEXT NOT NULL,
  client_version  TEXT NOT NULL,
  client_address  TEXT NOT NULL,
  server          TEXT NOT NULL,
  subject         TEXT NOT NULL,
  rule            TEXT NOT NULL,
  duration_ms     INTEGER,
  request_id      TEXT NOT NULL,
  argument_digest BLOB,
  reported_by     TEXT NOT NULL,
  payload         TEXT NOT NULL
) STRICT;
CREATE INDEX audit_token ON audit (token_sha, seq) WHERE token_sha IS NOT NULL;

CREATE TABLE audit_sessions (
  project     TEXT NOT NULL,
  session     TEXT NOT NULL,
  user        TEXT NOT NULL,
  token_name  TEXT NOT NULL,
  client_name TEXT NOT NULL,
  first_ms    INTEGER NOT NULL,
  last_ms     INTEGER NOT NULL,
  events      INTEGER NOT NULL,
  denied      INTEGER NOT NULL,
  PRIMARY KEY (project, session)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_sessions_last ON audit_sessions (last_ms);
)sql"},
    {2, R"sql(
CREATE TABLE audit_chain (
  seq  INTEGER PRIMARY KEY,
  link BLOB NOT NULL CHECK (length(link) = 32)
) STRICT;
CREATE TABLE audit_head (
  id   INTEGER PRIMARY KEY CHECK (id = 1),
  seq  INTEGER NOT NULL,
  link BLOB NOT NULL CHECK (length(link) = 32)
) STRICT;
CREATE TABLE audit_checkpoint (
  id        INTEGER PRIMARY KEY CHECK (id = 1),
  seq       INTEGER NOT NULL,
  link      BLOB NOT NULL CHECK (length(link) = 32),
  signature BLOB NOT NULL CHECK (length(signature) = 32)
) STRICT;
)sql"},
    {3, R"sql(
CREATE TABLE audit_streams (
  token_sha BLOB NOT NULL CHECK (length(token_sha) = 32),
  stream    TEXT NOT NULL,
  next      INTEGER NOT NULL,
  seen_ms   INTEGER NOT NULL,
  PRIMARY KEY (token_sha, stream)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_streams_seen ON audit_streams (seen_ms);
)sql"},
    // A session belongs to the token it is of: another one that names it has a row of its own. Of old rows the token is
    // not known.
    {4, R"sql(
CREATE TABLE audit_sessions_of_tokens (
  project     TEXT NOT NULL,
  session     TEXT NOT NULL,
  token_sha   BLOB NOT NULL,
  user        TEXT NOT NULL,
  token_name  TEXT NOT NULL,
  client_name TEXT NOT NULL,
  first_ms    INTEGER NOT NULL,
  last_ms     INTEGER NOT NULL,
  events      INTEGER NOT NULL,
  denied      INTEGER NOT NULL,
  PRIMARY KEY (project, session, token_sha)
) STRICT, WITHOUT ROWID;
INSERT INTO audit_sessions_of_tokens (project, session, token_sha, user, token_name, client_name, first_ms, last_ms, events,
  denied) SELECT project, session, x'', user, token_name, client_name, first_ms, last_ms, events, denied FROM audit_sessions;
DROP TABLE audit_sessions;
ALTER TABLE audit_sessions_of_tokens RENAME TO audit_sessions;
CREATE INDEX audit_sessions_last ON audit_sessions (last_ms);
)sql"},
    // A head of before has none, and is never found genuine.
    {5, "ALTER TABLE audit_head ADD COLUMN signature BLOB"},
};

}  // namespace

std::string_view to_text(Kind kind) { return text_in(kKinds, kind); }
std::string_view to_text(Outcome outcome) { return text_in(kOutcomes, outcome); }
std::optional<Kind> kind_of(std::string_view text) { return value_in(kKinds, text); }
std::optional<Outcome> outcome_of(std::string_view text) { return value_in(kOutcomes, text); }

db::Schema schema() { return {"audit", kMigrations}; }

Event event_by(const rbac::Principal& who, Kind kind, Outcome outcome, int64_t time_ms) {
  Event event;
  event.time_ms = time_ms;
  event.kind = kind;
  event.outcome = outcome;
  event.project = who.project;
  event.user = who.kind == rbac::PrincipalKind::system ? "system" : who.user_email;
  event.token_name = who.token_name;
  crypto::Digest sha{};
  if (from_hex(who.token_sha, sha)) event.token_sha = sha;
  event.client_address = who.client_address;
  return event;
}

namespace {

// OR FAIL: some rows of a statement that fails stay until the transaction is rolled back. Without it each statement first
// copies every page that it changes. All columns of the table in their order: values go straight to their places.
constexpr db::Sql kInsert =
    "INSERT OR FAIL INTO audit (seq, time_ms, kind, outcome, project, session, user, token_name, token_sha, client_name,"
    " client_version, client_address, server, subject, rule, duration_ms, request_id, argument_digest, reported_by, payload)"
    " SELECT NULL, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15, c16, c17, c18, c19 FROM rows(?1)";

class EventRows final : public db::Rows {
 public:
  explicit EventRows(std::span<const EventView> events) : events_(events) {}
  bool next(db::Row& row) noexcept override {
    if (events_.empty()) return false;
    const EventView& event = events_.front();
    row.set(event.time_ms, static_cast<int>(event.kind), static_cast<int>(event.outcome), event.project, event.session,
            event.user, event.token_name, event.token_sha, event.client_name, event.client_version, event.client_address,
            event.server, event.subject, event.rule, event.duration_ms, event.request_id, event.argument_digest,
            event.reported_by, event.payload);
    events_ = events_.subspan(1);
    return true;
  }

 private:
  std::span<const EventView> events_;
};

}  // namespace

Result<void> append_rows(db::Transaction& transaction, std::span<EventView> events) {
  if (events.empty()) return {};
  EventRows rows(events);
  MCPT_CHECK(transaction.run(kInsert, &rows));
  // Rows of one statement are numbered in a row: the number is one more than the largest ever given.
  int64_t seq = transaction.connection().last_insert_id() - static_cast<int64_t>(events.size());
  for (EventView& event : events)
    event.seq = ++seq;
  return {};
}

Result<void> append_row(db::Transaction& transaction, Event& event) {
  tidy(event);
  EventView view = view_of(event);
  MCPT_CHECK(append_rows(transaction, std::span(&view, 1)));
  event.seq = view.seq;
  return {};
}

Result<void> summarize(db::Transaction& transaction, std::span<const EventView> events) {
  struct Sum {
    std::string_view user, token_name, client_name;
    int64_t first_ms = INT64_MAX, last_ms = INT64_MIN, events = 0, denied = 0;
  };
  using Session = std::tuple<std::string_view, std::string_view, std::string_view>;
  std::map<Session, Sum> sessions;
  auto at = sessions.end();
  for (const EventView& event : events) {
    if (event.session.empty()) continue;
    const auto token = event.token_sha ? as_text(*event.token_sha) : std::string_view();
    const Session session(event.project, event.session, token);
    if (at == sessions.end() || at->first != session) at = sessions.try_emplace(session).first;  // the last one is often the next
    Sum& one = at->second;
    one.first_ms = std::min(one.first_ms, event.time_ms);
    one.last_ms = std::max(one.last_ms, event.time_ms);
    if (!event.user.empty()) one.user = event.user;
    if (!event.token_name.empty()) one.token_name = event.token_name;
    if (!event.client_name.empty()) one.client_name = event.client_name;
    ++one.events;
    one.denied += event.outcome == Outcome::denied;
  }
  for (const auto& [key, one] : sessions) {
    MCPT_CHECK(transaction.run(
        "INSERT INTO audit_sessions (project, session, token_sha, user, token_name, client_name, first_ms, last_ms,"
        " events, denied)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (project, session, token_sha) DO UPDATE SET"
        " user = CASE excluded.user WHEN '' THEN user ELSE excluded.user END,"
        " token_name = CASE excluded.token_name WHEN '' THEN token_name ELSE excluded.token_name END,"
        " client_name = CASE excluded.client_name WHEN '' THEN client_name ELSE excluded.client_name END,"
        " first_ms = min(first_ms, excluded.first_ms), last_ms = max(last_ms, excluded.last_ms),"
        " events = events + excluded.events, denied = denied + excluded.denied",
        std::get<0>(key), std::get<1>(key), as_bytes(std::get<2>(key)), one.user, one.token_name, one.client_name,
        one.first_ms, one.last_ms, one.events, one.denied));
  }
  return {};
}

Result<void> append(db::Transaction& transaction, Event& event) {
  MCPT_CHECK(append_row(transaction, event));
  const EventView view = view_of(event);
  return summarize(transaction, std::span(&view, 1));
}

}  // namespace mcptoken::audit
