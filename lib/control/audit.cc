// Reading the audit record over REST: events and sessions of the projects that the caller may view, and the chain.
#include <algorithm>

#include "audit/chain.h"
#include "audit/query.h"
#include "base/bytes.h"
#include "base/time_text.h"
#include "control/handlers.h"
#include "control/objects.h"

namespace mcptoken::control {

using json::Value;

namespace {

constexpr int64_t kMostItems = 1'000;
constexpr int64_t kVerifyStep = 5'000;  // a transaction; other work of the store comes between

Result<void> bad(const std::string& name, std::string_view what) { return fail(Status::invalid, name + ": " + std::string(what)); }

struct TextParameter {
  const char* name;
  std::optional<std::string> audit::Filter::*field;
};
constexpr TextParameter kTexts[] = {
    {"project", &audit::Filter::project},      {"session", &audit::Filter::session}, {"user", &audit::Filter::user},
    {"tokenName", &audit::Filter::token_name}, {"server", &audit::Filter::server},   {"tool", &audit::Filter::subject},
};
struct NumberParameter {
  const char* name;
  std::optional<int64_t> audit::Filter::*field;
};
constexpr NumberParameter kTimes[] = {{"since", &audit::Filter::from_ms}, {"until", &audit::Filter::until_ms}};

Result<size_t> limit_of(const Request& request) {
  const auto* text = request.parameter("limit");
  if (!text) return size_t{100};
  const auto number = parse_decimal(*text);
  if (!number || *number < 1 || *number > kMostItems) return fail(Status::invalid, "limit: must be 1 to 1000");
  return static_cast<size_t>(*number);
}

Result<audit::Filter> filter_of(const Request& request) {
  audit::Filter filter;
  for (const auto& one : kTexts) {
    if (const auto* text = request.parameter(one.name)) filter.*one.field = *text;
  }
  for (const auto& one : kTimes) {
    const auto* text = request.parameter(one.name);
    if (!text) continue;
    filter.*one.field = from_iso8601(*text);
    if (!(filter.*one.field)) MCPT_CHECK(bad(one.name, "must be an instant like 2026-07-28T09:30:00Z"));
  }
  if (const auto* text = request.parameter("kind")) {
    filter.kind = audit::kind_of(*text);
    if (!filter.kind) MCPT_CHECK(bad("kind", "is not a kind of event"));
  }
  if (const auto* text = request.parameter("outcome")) {
    filter.outcome = audit::outcome_of(*text);
    if (!filter.outcome) MCPT_CHECK(bad("outcome", "must be ok, tool error, protocol error, transport error or denied"));
  }
  if (const auto* text = request.parameter("tokenSha")) {
    crypto::Digest sha{};
    if (!from_hex(*text, sha)) MCPT_CHECK(bad("tokenSha", "must have 64 lower-case hex digits"));
    filter.token_sha = sha;
  }
  if (const auto* text = request.parameter("cursor")) {
    filter.before_seq = parse_decimal(*text);
    if (!filter.before_seq) MCPT_CHECK(bad("cursor", "is not one of ours"));
  }
  MCPT_TRY(filter.limit, limit_of(request));
  return filter;
}

void add_text(Value& out, std::string_view key, std::string_view value) {
  if (!value.empty()) out.set(key, text_value(value));
}

Result<Value> event_json(const audit::Event& event) {
  Value out = Value::object();
  out.set("seq", Value::integer(event.seq));
  out.set("time", time_value(event.time_ms));
  add_text(out, "kind", audit::to_text(event.kind));
  add_text(out, "outcome", audit::to_text(event.outcome));
  add_text(out, "project", event.project);
  add_text(out, "session", event.session);
  add_text(out, "user", event.user);
  add_text(out, "tokenName", event.token_name);
  if (event.token_sha) out.set("tokenSha", text_value(to_hex(*event.token_sha)));
  add_text(out, "clientName", event.client_name);
  add_text(out, "clientVersion", event.client_version);
  add_text(out, "clientAddress", event.client_address);
  add_text(out, "server", event.server);
  add_text(out, "tool", event.subject);
  add_text(out, "rule", event.rule);
  if (event.duration_ms) out.set("durationMs", Value::integer(*event.duration_ms));
  add_text(out, "requestId", event.request_id);
  if (event.argument_digest) out.set("argumentDigest", text_value(to_hex(*event.argument_digest)));
  add_text(out, "reportedBy", event.reported_by);
  if (!event.payload.empty()) {
    MCPT_TRY(auto payload, json::parse(event.payload));
    out.set("payload", std::move(payload));
  }
  return out;
}

Value head_json(const audit::Head& head) {
  Value out = Value::object();
  out.set("seq", Value::integer(head.seq));
  out.set("hash", text_value(to_hex(head.link)));
  return out;
}

// "SEQ:HASH", as a head was noted down.
Result<std::optional<audit::Head>> expected_head(const Request& request) {
  const auto* text = request.parameter("expectHead");
  if (!text) return std::optional<audit::Head>();
  audit::Head out;
  const auto colon = text->find(':');
  const auto seq = parse_decimal(std::string_view(*text).substr(0, colon));
  if (colon == text->npos || !seq || !from_hex(std::string_view(*text).substr(colon + 1), out.link))
    return fail(Status::invalid, "expectHead: must be SEQ:HASH as an earlier verification told them");
  out.seq = *seq;
  return std::optional<audit::Head>(out);
}

}  // namespace

Result<Response> list_events(Control&, Context& context) {
  MCPT_CHECK(check_query(context.request, {"project", "session", "kind", "user", "tokenName", "tokenSha", "server", "tool",
                                           "outcome", "since", "until", "limit", "cursor"}));
  MCPT_TRY(auto filter, filter_of(context.request));
  filter.scope = context.policy.scope(context.who, rbac::Action::view, rbac::Resource::audit);
  MCPT_TRY(const auto page, audit::query(context.tx.db(), filter));
  std::vector<Value> items;
  for (const auto& event : page.events) {
    MCPT_TRY(auto item, event_json(event));
    items.push_back(std::move(item));
  }
  Value out = Value::object();
  out.set("items", Value::array(std::move(items)));
  if (page.next_before_seq) out.set("cursor", text_value(std::to_string(*page.next_before_seq)));
  return answer(200, out);
}

Result<Response> list_audit_sessions(Control&, Context& context) {
  MCPT_CHECK(check_query(context.request, {"project", "until", "limit"}));
  const auto scope = context.policy.scope(context.who, rbac::Action::view, rbac::Resource::audit);
  MCPT_TRY(const auto filter, filter_of(context.request));
  std::optional<std::string_view> project;
  if (filter.project) project = *filter.project;
  MCPT_TRY(const auto found, audit::sessions(context.tx.db(), project, filter.until_ms, filter.limit));
  std::vector<Value> items;
  for (const auto& one : found) {
    if (!scope.admits(one.project)) continue;
    Value item = Value::object();
    add_text(item, "project", one.project);
    add_text(item, "session", one.session);
    add_text(item, "user", one.user);
    add_text(item, "tokenName", one.token_name);
    add_text(item, "clientName", one.client_name);
    item.set("first", time_value(one.first_ms));
    item.set("last", time_value(one.last_ms));
    item.set("events", Value::integer(one.events));
    item.set("denied", Value::integer(one.denied));
    items.push_back(std::move(item));
  }
  Value out = Value::object();
  out.set("items", Value::array(std::move(items)));
  return answer(200, out);
}

// In steps, so that a long record holds nobody up; events that arrive meanwhile are checked, too.
loop::Task<Result<Response>> verify_audit(Control& control, Runner& runner) {
  MCPT_CO_CHECK(check_query(runner.request(), {"expectHead"}));
  const auto expected = expected_head(runner.request());
  if (!expected) co_return fail(expected.error());
  auto state = std::make_shared<audit::Verification>();
  while (!state->done) {
    Function<Result<Response>(Context&)> step = [&control, state, expected = *expected,
                                                 &route = runner.route()](Context& context) -> Result<Response> {
      MCPT_CHECK(authorise(context, route));
      MCPT_CHECK(audit::verify(context.tx.db(), control.keys().audit(), expected, kVerifyStep, *state));
      return Response();
    };
    auto task = runner.in_transaction(std::move(step));
    const auto done = co_await task;
    if (!done) co_return fail(done.error());
  }
  Value out = Value::object();
  out.set("intact", Value::boolean(state->intact));
  out.set("checked", Value::integer(state->checked));
  out.set("firstSeq", Value::integer(state->first_seq));
  out.set("head", head_json(state->last));
  if (!state->intact) {
    out.set("problem", text_value(state->problem));
    out.set("problemSeq", Value::integer(state->problem_seq));
  }
  co_return answer(200, out);
}

}  // namespace mcptoken::control
