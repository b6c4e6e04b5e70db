#include "audit/query.h"

#include "audit/export.h"
#include "base/bytes.h"

#define EVENT_COLUMNS                                                                                               \
  "SELECT seq, time_ms, kind, outcome, project, session, user, token_name, token_sha, client_name, client_version," \
  " client_address, server, subject, rule, duration_ms, request_id, argument_digest, reported_by, payload FROM audit "

namespace mcptoken::audit {
namespace {

enum Column : int {
  kSeq,
  kTime,
  kKind,
  kOutcome,
  kProject,
  kSession,
  kUser,
  kTokenName,
  kTokenSha,
  kClientName,
  kClientVersion,
  kClientAddress,
  kServer,
  kSubject,
  kRule,
  kDuration,
  kRequestId,
  kArgumentDigest,
  kReportedBy,
  kPayload,
};

struct TextFilter {
  std::optional<std::string> Filter::*wanted;
  Column column;
};
constexpr TextFilter kTextFilters[] = {
    {&Filter::project, kProject},      {&Filter::session, kSession}, {&Filter::user, kUser},
    {&Filter::token_name, kTokenName}, {&Filter::server, kServer},   {&Filter::subject, kSubject},
};

struct TextField {
  std::string Event::*field;
  Column column;
};
constexpr TextField kTextFields[] = {
    {&Event::project, kProject},
    {&Event::session, kSession},
    {&Event::user, kUser},
    {&Event::token_name, kTokenName},
    {&Event::client_name, kClientName},
    {&Event::client_version, kClientVersion},
    {&Event::client_address, kClientAddress},
    {&Event::server, kServer},
    {&Event::subject, kSubject},
    {&Event::rule, kRule},
    {&Event::request_id, kRequestId},
    {&Event::reported_by, kReportedBy},
    {&Event::payload, kPayload},
};

bool matches(const db::Statement& row, const Filter& filter) {
  for (const TextFilter& one : kTextFilters) {
    const auto& wanted = filter.*one.wanted;
    if (wanted && row.text_view(one.column) != *wanted) return false;
  }
  if (filter.scope && !filter.scope->admits(row.text_view(kProject))) return false;
  if (filter.kind && row.integer(kKind) != static_cast<int>(*filter.kind)) return false;
  if (filter.outcome && row.integer(kOutcome) != static_cast<int>(*filter.outcome)) return false;
  if (filter.from_ms && row.integer(kTime) < *filter.from_ms) return false;
  return !filter.until_ms || row.integer(kTime) < *filter.until_ms;
}

Result<std::optional<crypto::Digest>> read_digest(const db::Statement& row, Column column) {
  if (row.is_null(column)) return std::nullopt;
  MCPT_TRY(auto digest, row.bytes<32>(column));
  return digest;
}

Result<Event> read_event(const db::Statement& row) {
  Event event;
  event.seq = row.integer(kSeq);
  event.time_ms = row.integer(kTime);
  event.kind = static_cast<Kind>(row.integer(kKind));
  event.outcome = static_cast<Outcome>(row.integer(kOutcome));
  for (const TextField& one : kTextFields)
    event.*one.field = row.text_view(one.column);
  event.duration_ms = row.maybe_integer(kDuration);
  MCPT_TRY(event.token_sha, read_digest(row, kTokenSha));
  MCPT_TRY(event.argument_digest, read_digest(row, kArgumentDigest));
  return event;
}

}  // namespace

Result<Page> query(db::Transaction& transaction, const Filter& filter) {
  constexpr db::Sql all = EVENT_COLUMNS "WHERE seq < ?1 ORDER BY seq DESC";
  constexpr db::Sql of_token = EVENT_COLUMNS "WHERE seq < ?1 AND token_sha = ?2 ORDER BY seq DESC";
  const int64_t before = filter.before_seq.value_or(INT64_MAX);
  MCPT_TRY(auto rows, transaction.prepare(filter.token_sha ? of_token : all));
  filter.token_sha ? rows.bind(before, *filter.token_sha) : rows.bind(before);
  Page page;
  for (size_t seen = 0;; ++seen) {
    MCPT_TRY(bool row, rows.step());
    if (!row) {
      page.next_before_seq.reset();
      return page;
    }
    if (seen >= filter.scan || page.events.size() >= filter.limit) return page;
    page.next_before_seq = rows.integer(kSeq);
    if (!matches(rows, filter)) continue;
    MCPT_TRY(auto event, read_event(rows));
    page.events.push_back(std::move(event));
  }
}

Result<std::vector<Exported>> export_events(db::Transaction& transaction, int64_t after_seq, int64_t limit) {
  MCPT_TRY(auto rows,
           transaction.prepare(EVENT_COLUMNS "JOIN audit_chain USING (seq) WHERE seq > ?1 ORDER BY seq LIMIT ?2"));
  MCPT_TRY(auto links, transaction.prepare("SELECT link FROM audit_chain WHERE seq = ?1"));
  rows.bind(after_seq, limit);
  std::vector<Exported> out;
  for (;;) {
    MCPT_TRY(const bool row, rows.step());
    if (!row) return out;
    Exported one;
    MCPT_TRY(one.event, read_event(rows));
    MCPT_TRY(const bool linked, links.bind(one.event.seq).step());
    if (linked) {
      MCPT_TRY(one.link, links.bytes<32>(0));
    }
    out.push_back(std::move(one));
  }
}

namespace {

bool matches(const SessionSummary& one, const SessionFilter& filter) {
  if (filter.project && one.project != *filter.project) return false;
  if (filter.user && one.user != *filter.user) return false;
  if (filter.token_name && one.token_name != *filter.token_name) return false;
  return !filter.scope || filter.scope->admits(one.project);
}

}  // namespace

namespace {

SessionSummary read_session(const db::Statement& row) {
  SessionSummary one;
  std::string SessionSummary::*const texts[] = {&SessionSummary::project, &SessionSummary::session,
                                                &SessionSummary::user, &SessionSummary::token_name,
                                                &SessionSummary::client_name};
  for (int i = 0; i < static_cast<int>(std::size(texts)); ++i)
    one.*texts[i] = row.text(i);
  int64_t SessionSummary::*const numbers[] = {&SessionSummary::first_ms, &SessionSummary::last_ms,
                                              &SessionSummary::events, &SessionSummary::denied};
  for (int i = 0; i < static_cast<int>(std::size(numbers)); ++i)
    one.*numbers[i] = row.integer(5 + i);
  one.token_sha = as_text(row.blob(9));
  return one;
}

}  // namespace

Result<SessionPage> sessions(db::Transaction& transaction, const SessionFilter& filter) {
  // The first term alone is a range of the index, the second is exact.
  MCPT_TRY(auto rows,
           transaction.prepare("SELECT project, session, user, token_name, client_name, first_ms, last_ms, events,"
                               " denied, token_sha FROM audit_sessions WHERE last_ms <= ?1"
                               " AND (last_ms, project, session, token_sha) < (?1, ?2, ?3, ?4) AND last_ms >= ?5"
                               " ORDER BY last_ms DESC, project DESC, session DESC, token_sha DESC"));
  SessionPlace start = filter.after.value_or(SessionPlace());
  if (filter.until_ms && *filter.until_ms <= start.last_ms) start = {*filter.until_ms, {}, {}, {}};
  rows.bind(start.last_ms, start.project, start.session, as_bytes(start.token_sha), filter.from_ms.value_or(INT64_MIN));
  SessionPage page;
  for (size_t seen = 0;; ++seen) {
    MCPT_TRY(const bool row, rows.step());
    if (!row) {
      page.next.reset();
      return page;
    }
    if (seen >= filter.scan || page.sessions.size() >= filter.limit) return page;
    auto one = read_session(rows);
    page.next = SessionPlace{one.last_ms, one.project, one.session, one.token_sha};
    if (matches(one, filter)) page.sessions.push_back(std::move(one));
  }
}

}  // namespace mcptoken::audit
