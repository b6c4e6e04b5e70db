#include "control/event_json.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/time_text.h"

namespace mcptoken::control {

using audit::Event;
using audit::Kind;
using json::Value;

namespace {

struct TextField {
  std::string_view name;
  std::string Event::*field;
  bool reported;  // by gateways, too
};
constexpr TextField kTexts[] = {
    {"project", &Event::project, false},
    {"session", &Event::session, true},
    {"user", &Event::user, false},
    {"tokenName", &Event::token_name, false},
    {"clientName", &Event::client_name, true},
    {"clientVersion", &Event::client_version, true},
    {"clientAddress", &Event::client_address, false},
    {"server", &Event::server, true},
    {"tool", &Event::subject, true},
    {"rule", &Event::rule, true},
    {"requestId", &Event::request_id, true},
    {"reportedBy", &Event::reported_by, false},
};

struct DigestField {
  std::string_view name;
  std::optional<crypto::Digest> Event::*field;
};
constexpr DigestField kDigests[] = {{"tokenSha", &Event::token_sha}, {"argumentDigest", &Event::argument_digest}};

constexpr Kind kReported[] = {Kind::session_bind,  Kind::rbac_decision,   Kind::tool_call_trace,
                              Kind::gate_decision, Kind::prompt_delivery, Kind::pipeline_execution};

tl::unexpected<Error> bad(std::string_view name, std::string_view what) {
  return fail(Status::invalid, std::string(name) + ": " + std::string(what));
}

Result<std::string> reported_text(const TextField& field, const Value& value) {
  const auto* text = value.as_string();
  if (!field.reported || !text || text->size() > limits::kReportTextBytes)
    return bad(field.name, field.reported ? "must be a string of at most 256 bytes" : "is not a gateway's to say");
  return *text;
}

Result<void> read_kind(const Value& value, Event& event) {
  const auto kind = value.as_string() ? audit::kind_of(*value.as_string()) : std::nullopt;
  if (!kind || std::find(std::begin(kReported), std::end(kReported), *kind) == std::end(kReported))
    return bad("kind", "is not a kind of event that gateways report");
  event.kind = *kind;
  return {};
}

Result<void> read_outcome(const Value& value, Event& event) {
  const auto outcome = value.as_string() ? audit::outcome_of(*value.as_string()) : std::nullopt;
  if (!outcome) return bad("outcome", "must be ok, tool error, protocol error, transport error or denied");
  event.outcome = *outcome;
  return {};
}

Result<void> read_number(const Value& value, Event& event) {
  const auto number = value.as_int();
  if (!number || *number < 1) return bad("seq", "must be a number from 1 on");
  event.seq = *number;
  return {};
}

Result<void> read_time(const Value& value, Event& event) {
  const auto time = value.as_string() ? from_iso8601(*value.as_string()) : std::nullopt;
  if (!time) return bad("time", "must be an instant like 2026-07-28T09:30:00Z");
  event.time_ms = *time;
  return {};
}

Result<void> read_duration(const Value& value, Event& event) {
  event.duration_ms = value.as_int();
  if (!event.duration_ms || *event.duration_ms < 0) return bad("durationMs", "must be a number of milliseconds");
  return {};
}

Result<void> read_arguments(const Value& value, Event& event) {
  crypto::Digest digest{};
  if (!value.as_string() || !from_hex(*value.as_string(), digest))
    return bad("argumentDigest", "must have 64 lower-case hex digits");
  event.argument_digest = digest;
  return {};
}

Result<void> read_payload(const Value& value, Event& event) {
  event.payload = json::to_text(value);
  if (!value.is(json::Type::object) || event.payload.size() > limits::kReportPayloadBytes)
    return bad("payload", "must be an object of at most 4096 bytes");
  return {};
}

struct Reader {
  std::string_view name;
  Result<void> (*read)(const Value&, Event&);
  bool required;
};
constexpr Reader kReaders[] = {
    {"seq", read_number, true},
    {"time", read_time, true},
    {"kind", read_kind, true},
    {"outcome", read_outcome, true},
    {"durationMs", read_duration, false},
    {"argumentDigest", read_arguments, false},
    {"payload", read_payload, false},
};

template <class Table>
auto row_of(const Table& table, std::string_view name) {
  const auto* row = std::find_if(std::begin(table), std::end(table), [&](const auto& one) { return one.name == name; });
  return row == std::end(table) ? nullptr : row;
}

}  // namespace

Result<Value> event_json(const Event& event) {
  Value out = Value::object();
  out.set("seq", Value::integer(event.seq));
  out.set("time", Value::string(to_iso8601(event.time_ms)));
  out.set("kind", Value::string(std::string(audit::to_text(event.kind))));
  out.set("outcome", Value::string(std::string(audit::to_text(event.outcome))));
  for (const auto& [name, field, reported] : kTexts) {
    if (!(event.*field).empty()) out.set(name, Value::string(event.*field));
  }
  for (const auto& [name, field] : kDigests) {
    if (event.*field) out.set(name, Value::string(to_hex(*(event.*field))));
  }
  if (event.duration_ms) out.set("durationMs", Value::integer(*event.duration_ms));
  if (!event.payload.empty()) {
    MCPT_TRY(auto payload, json::parse(event.payload));
    out.set("payload", std::move(payload));
  }
  return out;
}

Value verification_json(const audit::Verification& found) {
  Value head = Value::object();
  head.set("seq", Value::integer(found.last.seq));
  head.set("hash", Value::string(to_hex(found.last.link)));
  Value out = Value::object();
  out.set("intact", Value::boolean(found.intact));
  out.set("checked", Value::integer(found.checked));
  out.set("firstSeq", Value::integer(found.first_seq));
  out.set("head", std::move(head));
  if (found.intact) return out;
  out.set("problem", Value::string(found.problem));
  out.set("problemSeq", Value::integer(found.problem_seq));
  return out;
}

std::string rule_of_call(const rbac::Policy& policy, const rbac::Principal& who, std::string_view server,
                         std::string_view subject) {
  const bool whole = subject.find(' ') != subject.npos;
  rbac::Query query;
  query.action = rbac::Action::view;
  query.resource = rbac::Resource::servers;
  query.name = server;
  if (!whole || !policy.allowed(who, query)) {
    query.action = rbac::Action::run;
    query.resource = rbac::Resource::tools;
    query.name = std::string(server) + "/" + (whole ? "*" : std::string(subject));
  }
  auto decision = policy.decide(who, query);
  return decision.allowed ? std::move(decision.rule) : std::string();
}

Result<Event> read_reported(const Value& item, int64_t now_ms) {
  if (!item.is(json::Type::object)) return fail(Status::invalid, "must be an object");
  Event event;
  for (const auto& [name, value] : item.members()) {
    if (const auto* reader = row_of(kReaders, name)) {
      MCPT_CHECK(reader->read(value, event));
    } else if (const auto* text = row_of(kTexts, name)) {
      MCPT_TRY(event.*text->field, reported_text(*text, value));
    } else {
      return bad(name, "is not a field of a reported event");
    }
  }
  for (const auto& reader : kReaders) {
    if (reader.required && !item.find(reader.name)) return bad(reader.name, "is required");
  }
  event.time_ms = std::min(event.time_ms, now_ms);
  return event;
}

}  // namespace mcptoken::control
