// Batches of events from gateways that stand elsewhere. Who may report is whoever has the token that the events are
// about; the control plane says whose they are.
#include "audit/reports.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "control/event_json.h"
#include "control/handlers.h"
#include "control/objects.h"

namespace mcptoken::control {

using json::Value;

namespace {

constexpr size_t kStreamBytes = 64;
constexpr int64_t kLargestNumber = (int64_t{1} << 53) - 1;  // what every reader of JSON can hold

tl::unexpected<Error> bad(std::string what) { return fail(Status::invalid, std::move(what)); }

// What the control plane knows of every event in the batch.
audit::Event stamp(const Context& context) {
  auto event = audit::event_by(context.who, audit::Kind::events_lost, audit::Outcome::ok, context.tx.now_ms());
  if (!context.request.client_address.empty()) event.client_address = context.request.client_address;
  event.reported_by = "gateway";
  return event;
}

// A gateway knows the rights of its token and not the definitions that they come from.
void add_rule(const Context& context, audit::Event& event) {
  if (event.kind != audit::Kind::tool_call_trace || event.server.empty() || !event.rule.empty()) return;
  event.rule = rule_of_call(context.policy, context.who, event.server, event.subject);
}

Result<void> read_events(const Context& context, const Value& list, const audit::Event& by, audit::Batch& batch) {
  if (!list.is(json::Type::array) || list.items().size() > limits::kReportBatch)
    return bad("events: must be a list of at most " + std::to_string(limits::kReportBatch));
  int64_t last = 0;
  for (size_t i = 0; i < list.items().size(); ++i) {
    const auto path = "events[" + std::to_string(i) + "]";
    auto event = read_reported(list.items()[i], by.time_ms);
    if (!event) return fail(std::move(event).error().in(path));
    const int64_t number = event->seq;
    if (number <= last || number > kLargestNumber) return bad(path + ".seq: must rise from event to event");
    last = number;
    event->project = by.project;
    event->user = by.user;
    event->token_name = by.token_name;
    event->token_sha = by.token_sha;
    event->client_address = by.client_address;
    event->reported_by = by.reported_by;
    add_rule(context, *event);
    batch.events.push_back({number, *std::move(event)});
  }
  return {};
}

Result<audit::Batch> read_batch(const Context& context, const Value& body, const audit::Event& by) {
  audit::Batch batch;
  for (const auto& [name, value] : body.members()) {
    if (name == "stream") {
      if (value.as_string()) batch.stream = *value.as_string();
    } else if (name == "next") {
      batch.next = value.as_int().value_or(0);
    } else if (name == "events") {
      MCPT_CHECK(read_events(context, value, by, batch));
    } else {
      return bad(name + ": is not a field of a batch");
    }
  }
  if (batch.stream.empty() || batch.stream.size() > kStreamBytes) return bad("stream: must be a name of 1 to 64 bytes");
  const int64_t last = batch.events.empty() ? 0 : batch.events.back().number;
  if (!body.find("next") || batch.next <= last || batch.next > kLargestNumber)
    return bad("next: must be the number after those of the events");
  return batch;
}

// Counted whatever becomes of it: what is refused has been read, too.
Result<void> check_room(Control& control, const Context& context) {
  auto& limit = control.reports();
  const auto wait = limit.wait_ms(context.who.token_id);
  if (wait > 0) return fail(rate_limited("too many events are reported of this token", wait));
  limit.add(context.who.token_id, 1 + static_cast<int64_t>(context.request.body.size() / 1024));
  return {};
}

}  // namespace

Result<Response> report_events(Control& control, Context& context) {
  if (context.who.kind != rbac::PrincipalKind::token)
    return fail(Error(Status::denied, "events are reported with the token that they are about")
                    .with_code("forbidden")
                    .with_http(403));
  MCPT_CHECK(check_query(context.request, {}));
  MCPT_CHECK(check_room(control, context));
  MCPT_TRY(const auto body, parse_body(context.request));
  const auto by = stamp(context);
  MCPT_TRY(auto batch, read_batch(context, body, by));
  MCPT_TRY(const auto taken, audit::take(context.tx.db(), by, std::move(batch)));
  Value out = Value::object();
  out.set("written", Value::integer(taken.written));
  out.set("repeated", Value::integer(taken.repeated));
  out.set("lost", Value::integer(taken.lost));
  out.set("next", Value::integer(taken.next));
  return answer(200, out);
}

}  // namespace mcptoken::control
