#include "service/reporter.h"

#include "base/limits.h"
#include "service/call_event.h"

namespace mcptoken::service {
namespace {

constexpr int64_t kTurnMs = 200;
constexpr int64_t kFlushStepMs = 5;

}  // namespace

// Calls go through the control plane, which records them.
void Reporter::record(gateway::CallRecord record) {
  auto bearer = record.bearer;
  auto event = event_of(std::move(record));
  if (event.kind == audit::Kind::tool_call_trace || !bearer || !event.token_sha) return;
  const crypto::Digest sha = *event.token_sha;
  const std::string project = event.project;
  if (!outbox_.add(sha, project, std::move(event), std::move(bearer), loop_.now_ms()))
    lost(1, "too many tokens have something to report");
  if (!timer_.running())
    timer_.start(
        kTurnMs, [this] { turn(); }, kTurnMs);
}

void Reporter::turn() {
  const int64_t now = loop_.now_ms();
  lost(outbox_.tidy(now), "the control plane could not be told");
  if (outbox_.empty()) return timer_.stop();
  while (group_.size() < limits::kReportRequests) {
    auto parcel = outbox_.pack(now);
    if (!parcel) break;
    auto task = send(*std::move(parcel));
    group_.spawn(std::move(task));
  }
}

loop::Task<Result<void>> Reporter::send(Outbox::Parcel parcel) {
  loop::Scope scope(group_.scope());
  loop::Deadline deadline(loop_, scope, limits::kIntrospectMs, plane_away("the control plane did not answer in time"));
  std::string path = "/api/v1/projects/" + parcel.project + "/audit";
  auto task = tell_plane(client_, plane_, path, parcel.body, parcel.bearer->copy(), limits::kIntrospectMs, scope);
  auto answer = co_await task;
  if (answer) {
    outbox_.delivered(parcel);
    if (std::exchange(away_, false)) log_.info("audit events can be reported again");
  } else {
    settle(parcel, answer.error());
  }
  co_return Result<void>();
}

void Reporter::settle(const Outbox::Parcel& parcel, const Error& error) {
  if (error.http == 503 || error.http == 429 || error.http == 0) {
    if (!std::exchange(away_, true)) log_.warn("audit events cannot be reported at the moment: " + error.message);
    return outbox_.failed(parcel, loop_.now_ms());
  }
  const bool of_token = error.http == 401 || error.http == 403 || error.http == 404;
  if (of_token || parcel.empty) return lost(outbox_.refused(parcel), error.message);
  log_.warn("audit events are not taken by the control plane: " + error.message);
  outbox_.spoiled(parcel);
}

void Reporter::lost(int64_t count, std::string_view why) {
  if (count > 0) log_.warn(std::to_string(count) + " audit events are lost: " + std::string(why));
}

loop::Task<Result<void>> Reporter::flush(loop::Scope& scope) {
  const int64_t until_ms = loop_.now_ms() + limits::kReportFlushMs;
  outbox_.hurry();
  while (outbox_.waits(loop_.now_ms()) && loop_.now_ms() < until_ms) {
    turn();
    loop::Sleep pause(loop_, kFlushStepMs);
    MCPT_CO_CHECK(co_await pause.wait(scope));
  }
  co_return Result<void>();
}

}  // namespace mcptoken::service
