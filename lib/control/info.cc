// Answers about the caller, the project's servers, and the product.
#include <algorithm>

#include "control/handlers.h"
#include "control/objects.h"
#include "control/rights.h"
#include "control/rules.h"
#include "control/token_objects.h"
#include "rbac/json.h"

namespace mcptoken::control {

using json::Value;
using rbac::PrincipalKind;

Result<Response> whoami(Control&, Context& context) {
  MCPT_CHECK(check_query(context.request, {}));
  const auto& who = context.who;
  Value out = Value::object();
  if (who.kind == PrincipalKind::token) {
    out.set("principal", text_value("McpToken"));
    out.set("tokenName", text_value(who.token_name));
    out.set("tokenSha", text_value(who.token_sha));
    out.set("project", text_value(who.project));
    out.set("owner", text_value(who.user_email));
  } else {
    out.set("principal", text_value("User"));
    out.set("id", text_value(who.user_id));
    out.set("email", text_value(who.user_email));
  }
  std::vector<Value> permissions;
  for (const auto& binding : context.policy.permissions(who))
    permissions.push_back(rbac::to_json(binding));
  out.set("permissions", Value::array(std::move(permissions)));
  return answer(200, out);
}

namespace {

// About whom: {"kind": "User", "name"} for whoever may impersonate, {"kind": "McpToken", "name", "project"} for whoever
// may view the token.
Result<rbac::Principal> asked_about(Context& context, const Value& as) {
  if (!as.is(json::Type::object)) return fail(Status::invalid, "as: must be an object");
  for (const auto& [key, value] : as.members()) {
    if (key != "kind" && key != "name" && key != "project")
      return fail(Status::invalid, "as." + key + ": unknown field");
  }
  const auto kind = as.text("kind"), name = as.text("name");
  if (context.who.kind != PrincipalKind::user)
    return fail(Error(Status::denied, "only users ask about others").with_code("forbidden").with_http(403));
  if (kind == "User") {
    if (normal_email(name) == context.who.user_email) return context.who;
    rbac::Query query;
    query.action = rbac::Action::run;
    query.operation = rbac::Operation::impersonate;
    MCPT_CHECK(require(context, query));
    MCPT_TRY(const auto user, find_named(context.tx, *find_kind("user"), name));
    return principal_of(user);
  }
  if (kind != "McpToken") return fail(Status::invalid, "as.kind: must be User or McpToken");
  MCPT_TRY(const auto project, visible_project(context, as.text("project")));
  const auto token = context.tx.get_token(project.id, name);
  if (!token || !owns(context, *token))
    MCPT_CHECK(require(context, rbac::Action::view, rbac::Resource::mcptokens, token_scope(project.name, name)));
  if (!token) return fail(token.error());
  if (!token->usable(context.tx.now_ms())) return rbac::Principal();  // nobody: what has ended may do nothing
  return principal_of(context.tx, *token);
}

Result<rbac::Query> query_of(const Value& body) {
  rbac::Query query;
  if (body.find("operation")) {
    query.action = rbac::Action::run;
    query.operation = rbac::operation_of(body.text("operation"));
    if (!query.operation) return fail(Status::invalid, "operation: is not an operation");
    if (body.find("action") || body.find("resource") || body.find("name"))
      return fail(Status::invalid, "operation: stands alone");
    return query;
  }
  const auto action = rbac::action_of(body.text("action"));
  const auto resource = rbac::resource_of(body.text("resource"));
  if (!action) return fail(Status::invalid, "action: is not an action");
  if (!resource) return fail(Status::invalid, "resource: is not a resource");
  query.action = *action;
  query.resource = *resource;
  query.name = body.text("name");
  if (query.name.empty()) return query;
  if (auto good = rbac::check_scope(query.resource, query.name); !good) return fail(std::move(good).error().in("name"));
  return query;
}

// A token calls tools of the servers of its project alone, whatever its bindings say.
Result<std::string> server_not_attached(Context& context, const rbac::Principal& who, const rbac::Query& query) {
  if (who.kind != PrincipalKind::token || query.operation || query.resource != rbac::Resource::tools ||
      query.name.empty())
    return std::string();
  const auto server = std::string(query.name.substr(0, query.name.find('/')));
  MCPT_TRY(const auto project, context.tx.get(who.project_id));
  MCPT_TRY(const auto doc, json::parse(project.doc));
  const auto* servers = doc.find("servers");
  for (const auto& attachment : servers ? servers->items() : std::vector<Value>()) {
    if (name_of(context.tx, attachment.text("server")) == server) return std::string();
  }
  return "server \"" + server + "\" is not attached to project " + who.project;
}

}  // namespace

// {"action","resource","name"?}, {"operation"} or {"list": true}: about the caller, or with "as" about somebody else.
Result<Response> check_access(Control&, Context& context) {
  MCPT_CHECK(check_query(context.request, {}));
  MCPT_TRY(const auto body, parse_body(context.request));
  for (const auto& [key, value] : body.members()) {
    if (key == "as" || key == "list") continue;
    if (key != "action" && key != "resource" && key != "name" && key != "operation")
      return fail(Status::invalid, key + ": unknown field");
    if (!value.as_string() || value.as_string()->empty())
      return fail(Status::invalid, key + ": must be a text that is not empty");
  }
  auto who = context.who;
  if (const auto* as = body.find("as")) {
    MCPT_TRY(who, asked_about(context, *as));
  }
  Value out = Value::object();
  if (const auto* list = body.find("list")) {
    if (!list->as_bool().value_or(false)) return fail(Status::invalid, "list: must be true");
    if (body.members().size() > (body.find("as") ? 2u : 1u)) return fail(Status::invalid, "list: stands alone");
    std::vector<Value> permissions;
    for (const auto& binding : context.policy.permissions(who))
      permissions.push_back(rbac::to_json(binding));
    out.set("permissions", Value::array(std::move(permissions)));
    return answer(200, out);
  }
  MCPT_TRY(const auto query, query_of(body));
  auto decision = context.policy.decide(who, query);
  MCPT_TRY(const auto missing, server_not_attached(context, who, query));
  if (decision.allowed && !missing.empty()) decision = {false, missing};
  out.set("allowed", Value::boolean(decision.allowed));
  out.set("rule", text_value(decision.rule));
  return answer(200, out);
}

// Servers attached to the project: all of them for a user who may view it, for a token those of which it may call
// something.
Result<Response> list_project_servers(Control& control, Context& context) {
  MCPT_CHECK(check_query(context.request, {"limit", "cursor"}));
  const auto& kind = *find_kind("server");
  const bool is_token = context.who.kind == PrincipalKind::token;
  MCPT_TRY(const auto doc, json::parse(context.object->doc));
  const auto* attached = doc.find("servers");
  std::vector<Keyed> items;
  for (const auto& attachment : attached ? attached->items() : std::vector<Value>()) {
    MCPT_TRY(const auto server, context.tx.get(attachment.text("server")));
    if (is_token && !context.policy.may_use_any_tool(context.who, server.name) &&
        !context.policy.may_use_server(context.who, server.name)) {
      continue;
    }
    MCPT_TRY(const auto server_doc, json::parse(server.doc));
    Value item = for_token(kind.fields, server_doc);
    if (control.settings().server_status) item.set("status", text_value(control.settings().server_status(server.id)));
    items.emplace_back(server.name, std::move(item));
  }
  return page(control, context, std::move(items));
}

Result<Response> get_kinds(Control&, Context& context) {
  MCPT_CHECK(check_query(context.request, {}));
  return answer(200, kind_table_json());
}

Result<Response> get_version(Control& control, Context& context) {
  MCPT_CHECK(check_query(context.request, {}));
  Value out = Value::object();
  out.set("version", text_value(control.settings().version));
  out.set("api", text_value("v1"));
  return answer(200, out);
}

}  // namespace mcptoken::control
