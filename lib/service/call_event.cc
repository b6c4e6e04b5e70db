#include "service/call_event.h"

#include <algorithm>

#include "json/writer.h"

namespace mcptoken::service {
namespace {

audit::Outcome outcome_of(gateway::CallOutcome outcome) {
  switch (outcome) {
    case gateway::CallOutcome::ok: return audit::Outcome::ok;
    case gateway::CallOutcome::tool_error: return audit::Outcome::tool_error;
    case gateway::CallOutcome::protocol_error: return audit::Outcome::protocol_error;
    case gateway::CallOutcome::transport_error: return audit::Outcome::transport_error;
    case gateway::CallOutcome::denied: return audit::Outcome::denied;
  }
  return audit::Outcome::protocol_error;
}

// A client that begins to ask things: to whom no server answers. What a legacy client subscribes to names one.
bool is_beginning(const gateway::CallRecord& record) {
  constexpr std::string_view kFirst[] = {"initialize",   "server/discover", "subscriptions/listen",    "tools/list",
                                         "prompts/list", "resources/list",  "resources/templates/list"};
  return record.server.empty() && std::find(std::begin(kFirst), std::end(kFirst), record.subject) != std::end(kFirst);
}

audit::Kind kind_of(const gateway::CallRecord& record) {
  switch (record.kind) {
    case gateway::RecordKind::gate: return audit::Kind::gate_decision;
    case gateway::RecordKind::prompt: return audit::Kind::prompt_delivery;
    case gateway::RecordKind::pipeline: return audit::Kind::pipeline_execution;
    case gateway::RecordKind::call: break;
  }
  if (record.outcome == gateway::CallOutcome::denied) return audit::Kind::rbac_decision;
  return is_beginning(record) ? audit::Kind::session_bind : audit::Kind::tool_call_trace;
}

}  // namespace

audit::Event event_of(gateway::CallRecord&& record) {
  auto event = audit::event_by(*record.who, kind_of(record), outcome_of(record.outcome), record.time_ms);
  event.project = std::move(record.project);
  event.session = std::move(record.session);
  event.client_name = std::move(record.client_name);
  event.client_version = std::move(record.client_version);
  event.client_address = std::move(record.client_address);
  event.server = std::move(record.server);
  event.subject = std::move(record.subject);
  event.duration_ms = record.duration_ms;
  event.request_id = std::move(record.request_id);
  if (record.has_arguments) event.argument_digest = record.argument_digest;
  if (event.kind == audit::Kind::rbac_decision) event.rule = std::exchange(record.detail, {});
  if (!record.payload.empty()) {
    event.payload = std::move(record.payload);
  } else if (!record.detail.empty() || !record.trace_id.empty()) {
    json::Writer writer(event.payload);
    writer.begin_object();
    if (!record.detail.empty()) writer.member("detail", record.detail);
    if (!record.trace_id.empty()) writer.member("traceId", record.trace_id);
    writer.end_object();
  }
  return event;
}

}  // namespace mcptoken::service
