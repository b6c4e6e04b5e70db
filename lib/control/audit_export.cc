#include "control/audit_export.h"

#include "audit/chain.h"
#include "audit/export.h"
#include "base/bytes.h"
#include "control/event_json.h"
#include "control/handlers.h"
#include "control/objects.h"
#include "control/rights.h"

namespace mcptoken::control {

using json::Value;

namespace {

constexpr int64_t kMost = 1'000;

Result<int64_t> number_in(const Request& request, const std::string& name, int64_t least, int64_t otherwise) {
  const auto* text = request.parameter(name);
  if (!text) return otherwise;
  const auto number = parse_decimal(*text);
  if (!number || *number < least)
    return fail(Status::invalid, "query: " + name + " must be a number from " + std::to_string(least) + " on");
  return *number;
}

Value head_json(const audit::Head& head) {
  Value out = Value::object();
  out.set("seq", Value::integer(head.seq));
  out.set("hash", text_value(to_hex(head.link)));
  return out;
}

}  // namespace

Result<Response> export_audit(Control&, Context& context) {
  MCPT_CHECK(check_query(context.request, {"after", "limit"}));
  MCPT_CHECK(require(context, rbac::Action::view, rbac::Resource::audit, ""));
  MCPT_TRY(const auto after, number_in(context.request, "after", 0, 0));
  MCPT_TRY(const auto limit, number_in(context.request, "limit", 1, kMost));
  if (limit > kMost) return fail(Status::invalid, "query: limit must be at most " + std::to_string(kMost));
  MCPT_TRY(const auto found, audit::export_events(context.tx.db(), after, limit));
  std::vector<Value> items;
  for (const auto& one : found) {
    MCPT_TRY(auto item, event_json(one.event));
    item.set("link", text_value(to_hex(one.link)));
    items.push_back(std::move(item));
  }
  MCPT_TRY(const auto head, audit::head(context.tx.db()));
  Value out = Value::object();
  out.set("next", Value::integer(found.empty() ? after : found.back().event.seq));
  out.set("items", Value::array(std::move(items)));
  out.set("head", head_json(head));
  return answer(200, out);
}

}  // namespace mcptoken::control
