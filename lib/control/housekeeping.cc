#include "control/housekeeping.h"

#include "audit/reports.h"
#include "base/limits.h"
#include "control/objects.h"

namespace mcptoken::control {
namespace {

constexpr int64_t kRoundMs = 3600'000;
constexpr int kTasks = 4;
constexpr auto kPiece = static_cast<int64_t>(limits::kAuditPurge);

audit::Event purge_event(audit::Event event, const audit::Cut& cut) {
  event.kind = audit::Kind::audit_purged;
  event.subject = "audit";
  json::Value payload = json::Value::object();
  if (cut.before_ms != INT64_MAX) payload.set("before", time_value(cut.before_ms));
  if (cut.before_seq != INT64_MAX) payload.set("beforeSeq", json::Value::integer(cut.before_seq));
  event.payload = json::to_text(payload);
  return event;
}

}  // namespace

AuditPurge::AuditPurge(const audit::Cut& cut, audit::Event event) : cut_(cut), event_(purge_event(std::move(event), cut)) {}

Result<int64_t> AuditPurge::step(store::Tx& tx, const crypto::Key& key) {
  MCPT_TRY(const int64_t gone, audit::purge(tx.db(), key, cut_, kPiece));
  if (gone == 0 || !event_) return gone;
  MCPT_CHECK(audit::append(tx.db(), *event_));
  event_.reset();
  return gone;
}

Result<bool> Housekeeping::step(store::Tx& tx) {
  const int64_t now = tx.now_ms();
  // A clock that was set back does not put the next round off.
  if (resting_ && now >= began_ms_ && now - began_ms_ < kRoundMs) return false;
  if (resting_ || task_ == 0) began_ms_ = now;
  resting_ = false;
  stepped_ = true;
  MCPT_TRY(const int64_t gone, run_task(tx));
  if (gone < kPiece) ++task_;
  if (task_ < kTasks) return true;
  end_round();
  return false;
}

Result<int64_t> Housekeeping::run_task(store::Tx& tx) {
  switch (task_) {
    case 0:
      return tx.purge_ended_tokens(began_ms_ - limits::kTombstoneMs, limits::kAuditPurge);
    case 1:
      return tx.purge_sessions(began_ms_ - store::kLoginIdleMs, began_ms_ - store::kLoginMaxMs);
    case 2:
      return audit::forget_streams(tx.db(), began_ms_ - limits::kReportStreamMs, kPiece);
    default:
      return remove_events(tx);
  }
}

Result<int64_t> Housekeeping::remove_events(store::Tx& tx) {
  const auto retention = control_.settings().audit_retention_ms;
  if (!retention) return 0;
  if (!purge_) {
    audit::Cut cut;
    cut.before_ms = began_ms_ - *retention;
    purge_.emplace(cut, audit::event_by(tx.who(), audit::Kind::audit_purged, audit::Outcome::ok, tx.now_ms()));
  }
  auto gone = purge_->step(tx, control_.keys().audit());
  if (gone || gone.error().status != Status::corrupt) return gone;
  // Everything else goes on, the record stays as it is.
  control_.log().error("audit retention: " + gone.error().message);
  return 0;
}

void Housekeeping::end_round() {
  task_ = 0;
  resting_ = true;
  purge_.reset();
}

void Housekeeping::finished(bool committed) {
  if (std::exchange(stepped_, false) && !committed) end_round();
}

}  // namespace mcptoken::control
