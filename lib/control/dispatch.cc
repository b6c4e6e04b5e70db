// The one place where a request is authorised, and where what it changed is recorded.
#include <algorithm>

#include "base/bytes.h"
#include "control/control.h"
#include "control/handlers.h"
#include "control/objects.h"
#include "control/rights.h"
#include "control/rules.h"

namespace mcptoken::control {
namespace {

using rbac::PrincipalKind;

Result<void> refuse_token(std::string_view why) {
  return fail(
      Error(Status::denied, std::string(why)).with_code("forbidden").with_http(403).with_hint("log in as a user"));
}

Result<void> fence(const rbac::Principal& who, const Route& route, const Params& params) {
  if (who.kind == PrincipalKind::watcher && route.tokens != TokenAccess::watch)
    return refuse_token("a ticket of the changes feed opens nothing else");
  if (who.kind != PrincipalKind::token) return {};
  switch (route.tokens) {
    case TokenAccess::watch:
      return {};
    case TokenAccess::never:
      break;
    case TokenAccess::self_project:
    case TokenAccess::reports: {
      const auto& project = params.get("project");
      if (!project.empty() && (project == who.project || project == who.project_id)) return {};
      return fail(Error(Status::denied, "this token is for project \"" + who.project + "\"")
                      .with_code("wrong_project")
                      .with_http(403));
    }
    case TokenAccess::itself: {
      const auto& id = params.get("id");
      if (id.empty() || id == who.token_id) return {};
      return refuse_token("a project token may ask about itself alone");
    }
  }
  return refuse_token("a project token may not do this");
}

const Kind* kind_of(rbac::Resource resource) {
  const auto all = kinds();
  const auto at = std::find_if(all.begin(), all.end(), [&](const Kind& kind) { return kind.resource == resource; });
  return at == all.end() ? nullptr : &*at;
}

// A project-owned object by id, or by name with ?project=. `scope` is what bindings call what was asked for.
Result<store::Object> find_owned(Context& context, const Kind& kind, const std::string& word, std::string& scope) {
  const auto* in = context.request.parameter("project");
  std::string project_id;
  if (in) {
    scope = *in + "/" + word;
    MCPT_TRY(const auto project, find_object(context.tx, *find_kind("project"), *in));
    scope = project.name + "/" + word;
    project_id = project.id;
  }
  MCPT_TRY(auto found, find_in_project(context.tx, kind, project_id, word));
  MCPT_TRY(scope, scope_name(context.tx, found));
  return found;
}

// A missing object and one that may not be touched look alike to whoever has no right to all of the resource.
Result<void> permit_named(Context& context, const Permission& permission) {
  const auto& segment = context.params.get(permission.segment);
  const auto* kind = kind_of(permission.resource);
  std::string scope = segment;
  auto found = kind->scope == KindScope::project ? find_owned(context, *kind, segment, scope)
                                                 : find_object(context.tx, *kind, segment);
  if (!found && found.error().status != Status::not_found) return fail(std::move(found).error());
  rbac::Query query;
  query.action = permission.action;
  query.resource = permission.resource;
  query.name = kind->scope == KindScope::project ? scope : found ? found->name : segment;
  if (!context.policy.allowed(context.who, query)) {
    query.name = segment;
    return fail(forbidden(query));
  }
  if (!found) return fail(std::move(found).error());
  context.object = *std::move(found);
  return {};
}

Result<void> permit(Context& context, const Permission& permission) {
  rbac::Query query;
  query.action = permission.action;
  query.resource = permission.resource;
  switch (permission.level) {
    case Permission::Level::open:
    case Permission::Level::self:
      return {};
    case Permission::Level::operation:
      query.action = rbac::Action::run;
      query.operation = permission.operation;
      return require(context, query);
    case Permission::Level::some: {
      const auto scope = context.policy.scope(context.who, permission.action, permission.resource);
      if (scope.all || !scope.names.empty()) return {};
      return fail(forbidden(query));
    }
    case Permission::Level::exact:
      break;
  }
  return permission.segment.empty() ? require(context, query) : permit_named(context, permission);
}

audit::Event event_of(const Context& context, audit::Kind kind) {
  auto event = audit::event_by(context.who, kind, audit::Outcome::ok, context.tx.now_ms());
  event.request_id = context.request.request_id;
  event.client_name = context.request.client_name;
  if (!context.request.client_address.empty()) event.client_address = context.request.client_address;
  return event;
}

std::string_view word_of(store::Op op) {
  return op == store::Op::created ? "created" : op == store::Op::updated ? "updated" : "removed";
}

rbac::Action action_of(store::Op op) {
  return op == store::Op::created   ? rbac::Action::create
         : op == store::Op::updated ? rbac::Action::edit
                                    : rbac::Action::delete_;
}

// The binding by which the caller could do that to the object of this name; empty when something else lets it happen
// (its project or owner goes, a token is its owner's).
std::string rule_of(const Context& context, rbac::Action action, rbac::Resource resource, std::string scope) {
  if (context.who.kind != PrincipalKind::user && context.who.kind != PrincipalKind::token) return {};
  rbac::Query query;
  query.action = action;
  query.resource = resource;
  query.name = std::move(scope);
  auto decision = context.policy.decide(context.who, query);
  return decision.allowed ? std::move(decision.rule) : std::string();
}

// Also of a project that this transaction has removed.
std::string project_name(Context& context, const std::string& id) {
  if (const auto project = context.tx.get(id)) return project->name;
  for (const auto& change : context.tx.changes().objects) {
    if (change.id == id) return change.name;
  }
  return {};
}

// Also of a token that this transaction has removed.
std::string project_of_token(Context& context, const std::string& id) {
  if (const auto token = context.tx.get_token(id)) return project_name(context, token->project_id);
  for (const auto& change : context.tx.changes().tokens) {
    if (change.record.id == id) return project_name(context, change.record.project_id);
  }
  return {};
}

Result<void> record_object(Context& context, const store::ObjectChange& change) {
  auto event = event_of(context, audit::Kind::object_changed);
  event.subject = change.kind + "/" + change.name;
  if (change.kind == "project") event.project = change.name;
  if (!change.project_id.empty()) event.project = project_name(context, change.project_id);
  if (change.kind == "rbac" && change.name.starts_with(kTokenDefinitionPrefix))
    event.project = project_of_token(context, change.name.substr(kTokenDefinitionPrefix.size()));
  if (change.kind == "server") event.server = change.name;
  if (const auto* kind = find_kind(change.kind))
    event.rule = rule_of(context, action_of(change.op), kind->resource,
                         change.project_id.empty() ? change.name : event.project + "/" + change.name);
  json::Value payload = json::Value::object();
  payload.set("change", text_value(word_of(change.op)));
  payload.set("id", text_value(change.id));
  payload.set("version", json::Value::integer(change.version));
  event.payload = json::to_text(payload);
  return audit::append(context.tx.db(), event);
}

Result<void> record_token(Context& context, const store::TokenChange& change) {
  const auto& token = change.record;
  const bool created = change.op == store::Op::created;
  const bool purged = change.op == store::Op::removed && token.revoked_ms;
  // A tombstone that goes with its project or owner is told by their removal.
  if (purged && !(context.tx.get(token.project_id) && context.tx.get(token.owner_id))) return {};
  const bool rotated = !created && !token.revoked_ms && !token.superseded_by.empty() && change.op != store::Op::removed;
  auto event = event_of(context, created   ? audit::Kind::token_created
                                 : rotated ? audit::Kind::token_rotated
                                 : purged  ? audit::Kind::object_changed
                                           : audit::Kind::token_revoked);
  event.project = project_name(context, token.project_id);
  event.token_name = token.name;
  event.token_sha = token.sha;
  event.subject = "mcptoken/" + token.name;
  event.rule = rule_of(context, created || rotated ? rbac::Action::create : rbac::Action::delete_,
                       rbac::Resource::mcptokens, event.project + "/" + token.name);
  json::Value payload = json::Value::object();
  payload.set("id", text_value(token.id));
  payload.set("tokenSha", text_value(to_hex(token.sha)));
  if (purged) {
    payload.set("change", text_value("purged"));
  } else if (rotated) {
    payload.set("supersededBy", text_value(token.superseded_by));
    payload.set("expiresAt", time_value(*token.expires_ms));
  } else if (!created)
    payload.set("reason", text_value(change.op == store::Op::removed ? "removed with its project or owner"
                                                                     : token.revoke_reason));
  event.payload = json::to_text(payload);
  return audit::append(context.tx.db(), event);
}

}  // namespace

Result<void> admit(const rbac::Principal& who, const Route& route, const Params& params) {
  MCPT_CHECK(fence(who, route, params));
  if (route.permission.level == Permission::Level::open || who.kind != PrincipalKind::anonymous) return {};
  return fail(Error(Status::unauthenticated, "credentials are required")
                  .with_code("unauthorized")
                  .with_hint("log in: mcpctl login"));
}

size_t body_limit(const rbac::Policy& policy, const rbac::Principal& who, const Route& route) {
  if (route.permission.level != Permission::Level::operation || who.kind != PrincipalKind::user)
    return std::min(route.body_bytes, limits::kBodyBytes);
  rbac::Query query;
  query.action = rbac::Action::run;
  query.operation = route.permission.operation;
  return policy.allowed(who, query) ? route.body_bytes : std::min(route.body_bytes, limits::kBodyBytes);
}

namespace {

// A condition that nobody looks at would be taken for one that held.
Result<void> check_condition(const Request& request, const Route& route) {
  if (!request.if_match) return {};
  const bool writes = request.method != "GET" && request.method != "POST";
  const bool honoured = route.handler == approve_promptrequest || (route.kind != nullptr && writes);
  if (honoured) return {};
  return fail(Status::invalid, "If-Match has no meaning here");
}

// What is asked with the path alone is not done while the body asks for something else.
Result<void> check_no_fields(const Request& request, const Route& route) {
  const bool path_alone = request.method == "DELETE" || route.handler == revoke_token || route.handler == logout;
  if (!path_alone || request.body.empty()) return {};
  MCPT_TRY(const auto body, parse_body(request));
  if (body.members().empty()) return {};
  return fail(Status::invalid, body.members().front().first + ": unknown field");
}

Result<void> check_form(const Request& request, const Route& route) {
  MCPT_CHECK(check_condition(request, route));
  return check_no_fields(request, route);
}

}  // namespace

Result<void> authorise(Context& context, const Route& route) {
  context.route = &route;
  MCPT_CHECK(admit(context.who, route, context.params));
  return permit(context, route.permission);
}

Result<void> record_changes(Context& context) {
  const auto& changes = context.tx.changes();
  for (const auto& change : changes.objects)
    MCPT_CHECK(record_object(context, change));
  for (const auto& change : changes.tokens)
    MCPT_CHECK(record_token(context, change));
  for (const auto& user : changes.password_users) {
    auto event = event_of(context, audit::Kind::object_changed);
    MCPT_TRY(const auto object, context.tx.get(user));
    event.subject = "user/" + object.name;
    event.payload = R"({"change":"password"})";
    MCPT_CHECK(audit::append(context.tx.db(), event));
  }
  return {};
}

Result<void> record_event(Context& context, audit::Kind kind, std::string_view subject, const json::Value& payload,
                          std::string_view server) {
  auto event = event_of(context, kind);
  event.subject = subject;
  event.server = server;
  event.payload = json::to_text(payload);
  return audit::append(context.tx.db(), event);
}

Result<void> record_login(Context& context, audit::Kind kind, const std::string& email) {
  auto event = event_of(context, kind);
  event.user = email;
  event.subject = email.empty() ? "user" : "user/" + email;
  if (kind == audit::Kind::login_failed) event.outcome = audit::Outcome::denied;
  return audit::append(context.tx.db(), event);
}

Result<Response> take_back(Result<Response> answer, std::optional<Response>& kept) {
  if (!answer) return answer;
  kept = *std::move(answer);
  return fail(Status::cancelled, "taken back");
}

Result<Response> dispatch(Control& control, Context& context, const Route& route) {
  if (!route.handler) return fail(Status::internal, "the route " + route.pattern + " needs a runner");
  MCPT_CHECK(authorise(context, route));
  MCPT_CHECK(check_form(context.request, route));
  MCPT_TRY(auto response, route.handler(control, context));
  MCPT_CHECK(record_changes(context));
  return response;
}

loop::Task<Result<Response>> dispatch(Control& control, Runner& runner) {
  const Route& route = runner.route();
  if (!route.async_handler) co_return fail(Status::internal, "the route " + route.pattern + " needs a transaction");
  MCPT_CO_CHECK(admit(runner.who(), route, runner.params()));
  MCPT_CO_CHECK(check_form(runner.request(), route));
  auto task = route.async_handler(control, runner);
  co_return co_await task;
}

}  // namespace mcptoken::control
