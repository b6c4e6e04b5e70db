// Tokens that are there: lists, revocation, introspection.
#include <algorithm>

#include "base/bytes.h"
#include "base/limits.h"
#include "control/handlers.h"
#include "control/objects.h"
#include "control/rights.h"
#include "control/token_objects.h"
#include "control/watch.h"
#include "rbac/json.h"
#include "token/token.h"

namespace mcptoken::control {

using json::Value;
using rbac::Action;
using rbac::Resource;
using store::TokenRecord;

namespace {

Result<std::optional<int64_t>> duration_of(const Request& request, const std::string& name) {
  const auto* text = request.parameter(name);
  if (!text) return std::optional<int64_t>();
  auto ms = token::parse_duration(*text);
  if (!ms) return fail(std::move(ms).error().in(name));
  return std::optional<int64_t>(*ms);
}

// ?all, ?status=a,b, ?unused=30d, ?expiring=7d; all that are given must hold.
struct TokenFilter {
  static Result<TokenFilter> of(const Context& context) {
    TokenFilter filter;
    filter.now = context.tx.now_ms();
    filter.all = flag(context.request, "all");
    MCPT_TRY(filter.unused_ms, duration_of(context.request, "unused"));
    MCPT_TRY(filter.expiring_ms, duration_of(context.request, "expiring"));
    const auto* status = context.request.parameter("status");
    if (!status) return filter;
    for (auto word : split(*status, ',')) {
      constexpr store::TokenState states[] = {store::TokenState::active, store::TokenState::superseded,
                                              store::TokenState::revoked, store::TokenState::expired};
      const auto* at = std::find_if(std::begin(states), std::end(states),
                                    [&](store::TokenState one) { return store::to_text(one) == word; });
      if (at == std::end(states))
        return fail(Status::invalid, "status: must be active, superseded, revoked or expired");
      filter.states.push_back(*at);
    }
    return filter;
  }

  bool admits(const TokenRecord& token) const {
    const auto state = token.state(now);
    // Tombstones are for those who ask for them.
    const bool ended = state == store::TokenState::revoked || (!token.superseded_by.empty() && !token.usable(now));
    if (!states.empty() && std::find(states.begin(), states.end(), state) == states.end()) return false;
    if (states.empty() && ended && !all) return false;
    if (unused_ms && now - token.last_used_ms.value_or(token.created_ms) < *unused_ms) return false;
    return !expiring_ms || (token.usable(now) && token.expires_ms && *token.expires_ms - now <= *expiring_ms);
  }

  int64_t now = 0;
  bool all = false;
  std::optional<int64_t> unused_ms, expiring_ms;
  std::vector<store::TokenState> states;
};

}  // namespace

Result<Response> list_tokens(Control& control, Context& context) {
  MCPT_CHECK(check_query(context.request, {"project", "all", "status", "unused", "expiring", "limit", "cursor"}));
  MCPT_TRY(const auto filter, TokenFilter::of(context));
  std::optional<std::string> project_id;
  if (const auto* word = context.request.parameter("project")) {
    MCPT_TRY(const auto project, visible_project(context, *word));
    project_id = project.id;
  }
  const auto scope = context.policy.scope(context.who, Action::view, Resource::mcptokens);
  MCPT_TRY(const auto tokens, context.tx.list_tokens(project_id));
  std::vector<Keyed> items;
  for (const auto& token : tokens) {
    if (!filter.admits(token)) continue;
    const auto project = name_of(context.tx, token.project_id);
    if (!owns(context, token) && !scope.admits(token_scope(project, token.name))) continue;
    MCPT_TRY(auto item, token_json(context, token, project));
    items.emplace_back(project + "/" + token.name + "/" + token.id, std::move(item));
  }
  return page(control, context, std::move(items));
}

Result<Response> get_token(Control&, Context& context) {
  MCPT_CHECK(check_query(context.request, {"project"}));
  std::string project;
  MCPT_TRY(const auto token, chosen_token(context, Action::view, project));
  MCPT_TRY(const auto body, token_json(context, token, project));
  return answer(200, body);
}

Result<Response> revoke_token(Control&, Context& context) {
  MCPT_CHECK(check_query(context.request, {"project", "purge"}));
  std::string project;
  MCPT_TRY(const auto token, chosen_token(context, Action::delete_, project));
  const bool purge = context.request.method == "DELETE" && flag(context.request, "purge");
  if (purge) MCPT_CHECK(require(context, Action::delete_, Resource::mcptokens, token_scope(project, token.name)));
  MCPT_TRY(const auto revoked,
           context.tx.revoke_token(
               token.id, is_itself(context, token) ? "revoked by itself" : "revoked by " + context.who.user_email));
  MCPT_TRY(const auto body, token_json(context, revoked, project));
  if (purge) MCPT_CHECK(context.tx.purge_token(token.id));
  return answer(200, body);
}

Result<Response> introspect(Control& control, Context& context) {
  MCPT_CHECK(check_query(context.request, {"project"}));
  if (context.who.kind != rbac::PrincipalKind::token)
    return fail(Error(Status::invalid, "introspection is of the project token that asks")
                    .with_hint("send the token as bearer"));
  MCPT_TRY(const auto token, context.tx.get_token(context.who.token_id));
  Value out = Value::object();
  out.set("ok", Value::boolean(true));
  out.set("tokenName", text_value(token.name));
  out.set("tokenSha", text_value(to_hex(token.sha)));
  out.set("projectName", text_value(name_of(context.tx, token.project_id)));
  out.set("owner", text_value(name_of(context.tx, token.owner_id)));
  if (token.expires_ms) out.set("expiresAt", time_value(*token.expires_ms));
  std::vector<Value> permissions;
  for (const auto& binding : context.policy.permissions(context.who))
    permissions.push_back(rbac::to_json(binding));
  out.set("permissions", Value::array(std::move(permissions)));
  MCPT_TRY(const auto revision, context.tx.revision());
  out.set("revision", Value::integer(revision));
  out.set("watchId", text_value(to_hex(watch_id(control.keys(), token.sha))));
  MCPT_TRY(const auto ticket, make_ticket(control.keys(), context.tx.now_ms()));
  out.set("watchTicket", text_value(ticket));
  if (flag(context.request, "project")) {
    MCPT_TRY(auto project, gateway_view(control, context, token.project_id));
    out.set("project", std::move(project));
  }
  return answer(200, out);
}

}  // namespace mcptoken::control
