// Whether servers still answer, asked without a client's call: a definition's healthCheck, or tools/list. What is asked last
// shows in the instance; nothing is stopped for it, for a server that is slow to a probe may be busy with calls.
#include "base/limits.h"
#include "gateway/site.h"
#include "json/writer.h"
#include "mcp/rewrite.h"

namespace mcptoken::gateway {
namespace {

std::string probe_request(const HealthCheck& check) {
  if (check.tool.empty()) return mcp::request_head("0", "tools/list", false) + "}";
  std::string params;
  json::Writer(params).begin_object().member("name", check.tool).raw_member("arguments", check.arguments).end_object();
  return mcp::request_head("0", "tools/call", true) + params + "}";
}

// Nothing when the server is well. That it has no tools to list is an answer like any other.
std::optional<std::string> complaint_of(const HealthCheck& check, const Result<mcp::Message>& answer) {
  if (!answer) return answer.error().message;
  if (check.tool.empty()) return std::nullopt;
  if (answer->kind() == mcp::MessageKind::error) return answer->to_error().message;
  const json::Node* is_error = answer->in_result("isError");
  if (is_error && answer->outline().raw(*is_error) == "true") return "the tool " + check.tool + " has failed";
  return std::nullopt;
}

}  // namespace

void Upstreams::probe_due() {
  const int64_t now = site_.loop.now_ms();
  for (auto& [key, entry] : entries_) {
    // The control plane looks after what it runs.
    if (entry->server->relayed || !entry->ready() || entry->probing || entry->stale) continue;
    const int64_t interval = entry->server->health.interval_ms;
    if (entry->probe_at_ms == 0) entry->probe_at_ms = now + interval;
    if (now < entry->probe_at_ms) continue;
    entry->probing = true;
    entry->probe_at_ms = now + interval + site_.gateway.jitter(interval / 10);
    auto task = probe(entry);
    group_.spawn(std::move(task), [entry = entry](Result<void>) { entry->probing = false; });
  }
}

loop::Task<Result<void>> Upstreams::probe(std::shared_ptr<Entry> entry) {
  const HealthCheck& check = entry->server->health;
  MCPT_CO_TRY(auto request, mcp::Message::parse(probe_request(check), mcp::Origin::server));
  mcp::HopMeta hop;
  hop.era = entry->peer->info().era;
  hop.client_info = site_.gateway.options().client_info;
  mcp::HopParams params(request, hop);
  mcp::Call call(request.method(), params.pieces());
  call.name = check.tool;
  loop::Scope scope(entry->end);
  loop::Deadline deadline(site_.loop, scope, check.timeout_ms,
                          Error(Status::timeout, "no answer within " + std::to_string(check.timeout_ms) + " ms"));
  auto peer = entry->peer;
  auto task = peer->call(call, nullptr, scope);
  auto answer = co_await task;
  if (entry->end.cancelled()) co_return Result<void>();
  auto complaint = complaint_of(check, answer);
  entry->probe_failures = complaint ? entry->probe_failures + 1 : 0;
  if (answer) entry->breaker.succeeded();  // also of calls: it is there
  if (!complaint) entry->instance.answered_probe();
  else if (entry->probe_failures >= check.failure_threshold) entry->instance.missed_probe(*complaint);
  co_return Result<void>();
}

}  // namespace mcptoken::gateway
