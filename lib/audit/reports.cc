#include "audit/reports.h"

#include <algorithm>

#include "audit/table.h"
#include "base/limits.h"

namespace mcptoken::audit {
namespace {

Result<std::optional<int64_t>> expected_next(db::Transaction& transaction, const Event& by, const std::string& stream) {
  MCPT_TRY(auto rows, transaction.prepare("SELECT next FROM audit_streams WHERE token_sha = ?1 AND stream = ?2"));
  MCPT_TRY(const bool found, rows.bind(*by.token_sha, stream).step());
  return found ? std::optional<int64_t>(rows.integer(0)) : std::nullopt;
}

// A token has few gateways; who makes up names of streams pushes out his own.
Result<void> make_room(db::Transaction& transaction, const Event& by) {
  return transaction.run(
      "DELETE FROM audit_streams WHERE token_sha = ?1 AND stream NOT IN (SELECT stream FROM audit_streams"
      " WHERE token_sha = ?1 ORDER BY seen_ms DESC LIMIT ?2)",
      *by.token_sha, limits::kReportStreamsPerToken - 1);
}

Result<void> declare_gap(db::Transaction& transaction, const Event& by, int64_t lost, Taken& taken) {
  if (lost <= 0) return {};
  Event gap = by;
  gap.kind = Kind::events_lost;
  gap.payload = "{\"lost\":" + std::to_string(lost) + "}";
  taken.lost += lost;
  return append_row(transaction, gap);
}

}  // namespace

Result<Taken> take(db::Transaction& transaction, const Event& by, Batch batch) {
  MCPT_TRY(const auto known, expected_next(transaction, by, batch.stream));
  if (!known) MCPT_CHECK(make_room(transaction, by));
  Taken taken;
  taken.next = known.value_or(1);
  std::vector<Event> written;
  for (auto& [number, event] : batch.events) {
    if (number < taken.next) {
      ++taken.repeated;
      continue;
    }
    MCPT_CHECK(declare_gap(transaction, by, number - taken.next, taken));
    MCPT_CHECK(append_row(transaction, event));
    written.push_back(std::move(event));
    taken.next = number + 1;
  }
  MCPT_CHECK(declare_gap(transaction, by, batch.next - taken.next, taken));
  taken.next = std::max(taken.next, batch.next);
  taken.written = static_cast<int64_t>(written.size());
  std::vector<EventView> views(written.size());
  std::transform(written.begin(), written.end(), views.begin(), view_of);
  MCPT_CHECK(summarize(transaction, views));
  MCPT_CHECK(
      transaction.run("INSERT INTO audit_streams (token_sha, stream, next, seen_ms) VALUES (?1, ?2, ?3, ?4)"
                      " ON CONFLICT (token_sha, stream) DO UPDATE SET next = excluded.next, seen_ms = excluded.seen_ms",
                      *by.token_sha, batch.stream, taken.next, by.time_ms));
  return taken;
}

Result<int64_t> forget_streams(db::Transaction& transaction, int64_t before_ms, int64_t most) {
  MCPT_CHECK(
      transaction.run("DELETE FROM audit_streams WHERE (token_sha, stream) IN (SELECT token_sha, stream FROM"
                      " audit_streams WHERE seen_ms < ?1 ORDER BY seen_ms LIMIT ?2)",
                      before_ms, most));
  return transaction.connection().changes();
}

}  // namespace mcptoken::audit
