// What people read about a token: what it may call now, where its rights come from, what of them its owner does not
// hold, and how it was used of late.
#include <algorithm>

#include "audit/query.h"
#include "base/bytes.h"
#include "control/describe.h"
#include "control/handlers.h"
#include "control/objects.h"
#include "control/rights.h"
#include "control/token_objects.h"
#include "rbac/json.h"

namespace mcptoken::control {

using json::Value;
using rbac::Action;

namespace {

constexpr int64_t kDayMs = 24 * 3600'000LL;
constexpr size_t kCounted = 1'000;  // events; a token that is used more is told as "1000 or more"
constexpr size_t kDenials = 5;      // that are shown

// Each binding of the token with the definition it comes from, and whether its owner holds it at this moment.
Result<Value> bindings_with_source(Context& context, const store::TokenRecord& token, const rbac::Principal& owner) {
  const auto held = context.policy.permissions(owner);
  const auto sha = to_hex(token.sha);
  MCPT_TRY(const auto definitions, context.tx.list("rbac"));
  std::vector<Value> rows;
  for (const auto& definition : definitions) {
    MCPT_TRY(const auto doc, json::parse(definition.doc));
    const auto* subjects = doc.find("subjects");
    const bool bound =
        subjects && std::any_of(subjects->items().begin(), subjects->items().end(), [&](const Value& subject) {
          return subject.text("kind") == "McpToken" && subject.text("name") == sha;
        });
    const auto* bindings = bound ? doc.find("roleBindings") : nullptr;
    for (const auto& item : bindings ? bindings->items() : std::vector<Value>()) {
      MCPT_TRY(const auto binding, rbac::binding_from_json(item));
      Value row = Value::object();
      row.set("binding", text_value(rbac::to_text(binding)));
      row.set("source", text_value(definition.system ? std::string("the token itself") : "rbac/" + definition.name));
      const bool exceeds = rbac::first_uncovered(held, {binding}, context.policy.tool_grant()) != nullptr;
      row.set("exceedsOwner", Value::boolean(exceeds));
      rows.push_back(std::move(row));
    }
  }
  return Value::array(std::move(rows));
}

Value denial_of(const audit::Event& event) {
  Value row = Value::object();
  row.set("time", time_value(event.time_ms));
  row.set("what", text_value(event.server.empty() ? event.subject : event.server + "/" + event.subject));
  row.set("why", text_value(event.rule));
  return row;
}

// What others did to the token is not its use.
bool is_use(const audit::Event& event) {
  using audit::Kind;
  constexpr Kind others[] = {Kind::token_created, Kind::token_rotated, Kind::token_revoked, Kind::object_changed};
  return std::find(std::begin(others), std::end(others), event.kind) == std::end(others);
}

// Of its project's record, for whoever may view that; the owner may see the use of his own token.
Result<void> add_use(Context& context, const store::TokenRecord& token, Value& out) {
  audit::Filter filter;
  filter.token_sha = token.sha;
  filter.from_ms = context.tx.now_ms() - kDayMs;
  filter.limit = kCounted;
  MCPT_TRY(const auto page, audit::query(context.tx.db(), filter));
  int64_t calls = 0, denied = 0;
  std::vector<Value> denials;
  for (const auto& event : page.events) {
    calls += event.kind == audit::Kind::tool_call_trace;
    if (event.outcome != audit::Outcome::denied) continue;
    denied++;
    if (denials.size() < kDenials) denials.push_back(denial_of(event));
  }
  Value use = Value::object();
  use.set("calls", Value::integer(calls));
  use.set("denied", Value::integer(denied));
  use.set("complete", Value::boolean(page.events.size() < kCounted));
  out.set("last24h", std::move(use));
  out.set("denials", Value::array(std::move(denials)));
  const auto last = std::find_if(page.events.begin(), page.events.end(), is_use);
  if (last != page.events.end() && !last->client_name.empty())
    out.set("lastClient",
            text_value(last->client_name + (last->client_version.empty() ? "" : " ") + last->client_version));
  return {};
}

Result<Response> describe_in(Context& context, const std::vector<Instance>& instances) {
  std::string project;
  MCPT_TRY(const auto token, chosen_token(context, Action::view, project));
  const auto who = principal_of(context.tx, token);
  rbac::Principal owner;
  owner.kind = rbac::PrincipalKind::user;
  owner.user_id = token.owner_id;
  Value out = Value::object();
  MCPT_TRY(auto object, token_json(context, token, project));
  out.set("object", std::move(object));
  out.set("endpoint", text_value("/projects/" + project + "/mcp"));
  MCPT_TRY(auto bindings, bindings_with_source(context, token, owner));
  out.set("bindings", std::move(bindings));
  std::vector<std::string> effective;
  const bool usable = token.usable(context.tx.now_ms());
  for (const auto& binding : usable ? context.policy.permissions(who) : std::vector<rbac::Binding>())
    effective.push_back(rbac::to_text(binding));
  out.set("effective", texts(effective));
  MCPT_TRY(auto reach, reach_of(context.tx, context.policy, who, instances));
  out.set("mayCall", text_value(usable ? reach_text(reach) : "may call nothing any more"));
  out.set("reach", std::move(reach));
  MCPT_CHECK(add_use(context, token, out));
  return answer(200, out);
}

}  // namespace

loop::Task<Result<Response>> describe_token(Control&, Runner& runner) {
  MCPT_CO_CHECK(check_query(runner.request(), {"project"}));
  const Route& route = runner.route();
  auto asking = runner.instances();
  MCPT_CO_TRY(auto found, co_await asking);
  const auto instances = std::make_shared<const std::vector<Instance>>(std::move(found));
  auto work = runner.reading([&route, instances](Context& context) -> Result<Response> {
    MCPT_CHECK(authorise(context, route));
    return describe_in(context, *instances);
  });
  co_return co_await work;
}

}  // namespace mcptoken::control
