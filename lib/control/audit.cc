// Reading the audit record over REST: events and sessions of the projects that the caller may view, and the chain.
#include <algorithm>

#include "audit/chain.h"
#include "audit/query.h"
#include "base/bytes.h"
#include "base/time_text.h"
#include "control/event_json.h"
#include "control/handlers.h"
#include "control/housekeeping.h"
#include "control/objects.h"

namespace mcptoken::control {

using json::Value;

namespace {

constexpr int64_t kMostItems = 1'000;
constexpr int64_t kVerifyStep = 5'000;  // a transaction; other work of the store comes between

Result<void> bad(const std::string& name, std::string_view what) { return fail(Status::invalid, name + ": " + std::string(what)); }

template <class F>
struct TextParameter {
  const char* name;
  std::optional<std::string> F::*field;
};
template <class F>
struct TimeParameter {
  const char* name;
  std::optional<int64_t> F::*field;
};

using audit::Filter;
using audit::SessionFilter;
constexpr TextParameter<Filter> kTexts[] = {
    {"project", &Filter::project},      {"session", &Filter::session}, {"user", &Filter::user},
    {"tokenName", &Filter::token_name}, {"server", &Filter::server},   {"tool", &Filter::subject},
};
constexpr TimeParameter<Filter> kTimes[] = {{"since", &Filter::from_ms}, {"until", &Filter::until_ms}};
constexpr TextParameter<SessionFilter> kSessionTexts[] = {
    {"project", &SessionFilter::project}, {"user", &SessionFilter::user}, {"tokenName", &SessionFilter::token_name}};
constexpr TimeParameter<SessionFilter> kSessionTimes[] = {{"since", &SessionFilter::from_ms},
                                                          {"until", &SessionFilter::until_ms}};

Result<int64_t> instant_of(const char* name, const std::string& text) {
  const auto instant = from_iso8601(text);
  if (!instant) return fail(Status::invalid, std::string(name) + ": must be an instant like 2026-07-28T09:30:00Z");
  return *instant;
}

template <class F, size_t N, size_t M>
Result<void> read_parameters(const Request& request, const TextParameter<F> (&texts)[N], const TimeParameter<F> (&times)[M],
                             F& filter) {
  for (const auto& one : texts) {
    if (const auto* text = request.parameter(one.name)) filter.*one.field = *text;
  }
  for (const auto& one : times) {
    const auto* text = request.parameter(one.name);
    if (!text) continue;
    MCPT_TRY(filter.*one.field, instant_of(one.name, *text));
  }
  return {};
}

Result<size_t> limit_of(const Request& request) {
  const auto* text = request.parameter("limit");
  if (!text) return size_t{100};
  const auto number = parse_decimal(*text);
  if (!number || *number < 1 || *number > kMostItems) return fail(Status::invalid, "limit: must be 1 to 1000");
  return static_cast<size_t>(*number);
}

Result<audit::Filter> filter_of(const Control& control, const Context& context) {
  const auto& request = context.request;
  audit::Filter filter;
  MCPT_CHECK(read_parameters(request, kTexts, kTimes, filter));
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
  MCPT_TRY(const auto place, cursor_of(control, context));
  if (place) filter.before_seq = parse_decimal(*place);
  MCPT_TRY(filter.limit, limit_of(request));
  return filter;
}

// Line by line; names of sessions come from clients, and have no line end: see audit/tidy.h.
std::string text_of(const audit::SessionPlace& place) {
  return std::to_string(place.last_ms) + "\n" + to_hex(as_bytes(place.token_sha)) + "\n" + place.project + "\n" +
         place.session;
}

audit::SessionPlace place_of(const std::string& text) {
  audit::SessionPlace place;
  const auto lines = split(text, '\n');
  if (lines.size() != 4) return place;
  place.last_ms = parse_decimal(lines[0]).value_or(INT64_MAX);
  crypto::Digest sha{};
  if (from_hex(lines[1], sha)) place.token_sha = as_text(sha);
  place.project = lines[2];
  place.session = lines[3];
  return place;
}

Result<SessionFilter> session_filter_of(const Control& control, const Context& context) {
  const auto& request = context.request;
  SessionFilter filter;
  MCPT_CHECK(read_parameters(request, kSessionTexts, kSessionTimes, filter));
  MCPT_TRY(const auto place, cursor_of(control, context));
  if (place) filter.after = place_of(*place);
  MCPT_TRY(filter.limit, limit_of(request));
  return filter;
}

void add_text(Value& out, std::string_view key, std::string_view value) {
  if (!value.empty()) out.set(key, text_value(value));
}

// "SEQ:HASH", as a head was noted down.
Result<std::optional<audit::Head>> expected_head(const Request& request) {
  const auto* text = request.parameter("expectHead");
  if (!text) return std::optional<audit::Head>();
  const auto head = audit::head_of(*text);
  if (!head) return fail(Status::invalid, "expectHead: must be SEQ:HASH as an earlier verification told them");
  return head;
}

}  // namespace

Result<Response> list_events(Control& control, Context& context) {
  MCPT_CHECK(check_query(context.request, {"project", "session", "kind", "user", "tokenName", "tokenSha", "server", "tool",
                                           "outcome", "since", "until", "limit", "cursor"}));
  MCPT_TRY(auto filter, filter_of(control, context));
  filter.scope = context.policy.scope(context.who, rbac::Action::view, rbac::Resource::audit);
  MCPT_TRY(const auto page, audit::query(context.tx.db(), filter));
  std::vector<Value> items;
  for (const auto& event : page.events) {
    MCPT_TRY(auto item, event_json(event));
    items.push_back(std::move(item));
  }
  Value out = Value::object();
  out.set("items", Value::array(std::move(items)));
  if (page.next_before_seq) {
    MCPT_TRY(const auto cursor, seal_cursor(control, context, std::to_string(*page.next_before_seq)));
    out.set("cursor", text_value(cursor));
  }
  return answer(200, out);
}

Result<Response> list_audit_sessions(Control& control, Context& context) {
  MCPT_CHECK(check_query(context.request, {"project", "user", "tokenName", "since", "until", "limit", "cursor"}));
  MCPT_TRY(auto filter, session_filter_of(control, context));
  filter.scope = context.policy.scope(context.who, rbac::Action::view, rbac::Resource::audit);
  MCPT_TRY(const auto page, audit::sessions(context.tx.db(), filter));
  std::vector<Value> items;
  for (const auto& one : page.sessions) {
    Value item = Value::object();
    add_text(item, "project", one.project);
    add_text(item, "session", one.session);
    add_text(item, "user", one.user);
    add_text(item, "tokenName", one.token_name);
    if (!one.token_sha.empty()) item.set("tokenSha", text_value(to_hex(as_bytes(one.token_sha))));
    add_text(item, "clientName", one.client_name);
    item.set("first", time_value(one.first_ms));
    item.set("last", time_value(one.last_ms));
    item.set("events", Value::integer(one.events));
    item.set("denied", Value::integer(one.denied));
    items.push_back(std::move(item));
  }
  Value out = Value::object();
  out.set("items", Value::array(std::move(items)));
  if (page.next) {
    MCPT_TRY(const auto cursor, seal_cursor(control, context, text_of(*page.next)));
    out.set("cursor", text_value(cursor));
  }
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
    auto task = runner.reading(std::move(step));
    const auto done = co_await task;
    if (!done) co_return fail(done.error());
  }
  co_return answer(200, verification_json(*state));
}

namespace {

// An instant, or the number of the first event that stays.
Result<audit::Cut> cut_of(const Request& request, int64_t now_ms) {
  const auto* text = request.parameter("before");
  if (!text) return fail(Status::invalid, "before: is required, an instant or the number of the first event that stays");
  audit::Cut cut;
  if (const auto seq = parse_decimal(*text)) {
    cut.before_seq = *seq;
  } else {
    MCPT_TRY(cut.before_ms, instant_of("before", *text));
    if (cut.before_ms > now_ms) return fail(Status::invalid, "before: must not be in the future");
  }
  return cut;
}

// The event of the purge itself is not to go with it.
Result<void> check_cut(const Context& context, const audit::Cut& cut) {
  MCPT_TRY(const auto end, audit::head(context.tx.db()));
  if (cut.before_seq == INT64_MAX || cut.before_seq <= end.seq) return {};
  return fail(Status::invalid, "before: the last event is " + std::to_string(end.seq));
}

audit::Event purge_event(const Context& context) {
  auto event = audit::event_by(context.who, audit::Kind::audit_purged, audit::Outcome::ok, context.tx.now_ms());
  event.request_id = context.request.request_id;
  event.client_name = context.request.client_name;
  return event;
}

}  // namespace

// In pieces, too. What is gone when the caller goes stays gone; the event says how far it was meant to go.
loop::Task<Result<Response>> purge_events(Control& control, Runner& runner) {
  MCPT_CO_CHECK(check_query(runner.request(), {"before"}));
  const auto cut = cut_of(runner.request(), control.clock().wall_ms());
  if (!cut) co_return fail(cut.error());
  struct State {
    std::optional<AuditPurge> purge, attempt;
    int64_t gone = 0, removed = 0;
  };
  auto state = std::make_shared<State>();
  do {
    Function<Result<Response>(Context&)> step = [&control, state, cut = *cut,
                                                 &route = runner.route()](Context& context) -> Result<Response> {
      MCPT_CHECK(authorise(context, route));
      MCPT_CHECK(check_cut(context, cut));
      // A step whose transaction fails may be taken a second time.
      state->attempt = state->purge ? *state->purge : AuditPurge(cut, purge_event(context));
      auto gone = state->attempt->step(context.tx, control.keys().audit());
      if (!gone && gone.error().status == Status::corrupt)
        return fail(Error(Status::conflict, gone.error().message).with_hint("see audit/verify"));
      MCPT_TRY(state->gone, std::move(gone));
      return Response();
    };
    auto task = runner.in_transaction(std::move(step));
    const auto done = co_await task;
    if (!done) co_return fail(done.error());
    state->purge = state->attempt;
    state->removed += state->gone;
  } while (state->gone > 0);
  Value out = Value::object();
  out.set("removed", Value::integer(state->removed));
  co_return answer(200, out);
}

}  // namespace mcptoken::control
