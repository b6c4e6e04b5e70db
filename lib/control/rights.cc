#include "control/rights.h"

#include <algorithm>
#include <set>

#include "base/bytes.h"
#include "control/models.h"
#include "control/objects.h"
#include "control/rules.h"
#include "control/stages.h"

namespace mcptoken::control {

using json::Value;
using rbac::Action;
using rbac::Resource;

Result<void> require(const Context& context, const rbac::Query& query) {
  if (context.policy.allowed(context.who, query)) return {};
  return fail(forbidden(query));
}

Result<void> require(const Context& context, Action action, Resource resource, std::string name) {
  rbac::Query query;
  query.action = action;
  query.resource = resource;
  query.name = std::move(name);
  return require(context, query);
}

namespace {

bool may(const Context& context, Action action, Resource resource, const std::string& name) {
  return require(context, action, resource, name).has_value();
}

bool may_escalate(const Context& context) {
  rbac::Query query;
  query.action = Action::run;
  query.operation = rbac::Operation::escalate;
  return context.policy.allowed(context.who, query);
}

// Starts a process on this machine, or opens addresses that are closed to everybody else.
bool needs_spawn(const Value& server) {
  const auto* allow_private = server.find("allowPrivate");
  return server.text("transport") == "STDIO" || server.find("packageName") || server.find("dockerImage") ||
         (allow_private && allow_private->as_bool().value_or(false));
}

bool attaches(const Value* project, const std::string& server) {
  const auto* servers = project ? project->find("servers") : nullptr;
  if (!servers) return false;
  return std::any_of(servers->items().begin(), servers->items().end(),
                     [&](const Value& one) { return one.text("server") == server; });
}

using Names = std::set<std::pair<std::string_view, std::string>>;

Result<Names> named_in(const Kind& kind, const Value* object) {
  Names names;
  if (!object) return names;
  Value copy = *object;
  MCPT_CHECK(each_reference(kind, copy, [&](Reference& reference) -> Result<void> {
    names.emplace(reference.kind, reference.value);
    return {};
  }));
  return names;
}

// A right on objects of this project alone names it already; of a token its own project is known.
bool knows_project(const Context& context, const Kind& kind, const std::string& project) {
  if (kind.scope != KindScope::project) return false;
  if (context.who.kind == rbac::PrincipalKind::token && context.who.project == project) return true;
  const auto scope = context.policy.scope(context.who, Action::create, kind.resource);
  return std::any_of(scope.names.begin(), scope.names.end(),
                     [&](const std::string& name) { return name.starts_with(project + "/"); });
}

// Who names what he may not view would learn from the answer whether it is there. Himself everybody knows; whoever may
// escalate can learn all.
Result<void> may_name(const Context& context, const Kind& kind, const Reference& reference) {
  if (reference.kind.empty() || may_escalate(context)) return {};
  const auto& name = reference.value;
  if (reference.kind == "user" && normal_email(name) == context.who.user_email) return {};
  if (reference.kind == "project" && knows_project(context, kind, name)) return {};
  return require(context, Action::view, find_kind(reference.kind)->resource, name);
}

// Judged by name and before names are resolved: what is missing and what is forbidden look alike.
Result<void> check_references(const Context& context, const Kind& kind, const Value* before, const Value& after) {
  Value copy = after;
  const auto own_name = after.text(kind.name_field);
  MCPT_TRY(const auto named, named_in(kind, before));
  return each_reference(kind, copy, [&](Reference& reference) -> Result<void> {
    if (reference.field.use == Use::none)
      return named.contains({reference.kind, reference.value}) ? Result<void>() : may_name(context, kind, reference);
    const auto& name = reference.value;
    if (reference.field.use == Use::secret) {
      if (may(context, Action::edit, Resource::secrets, name)) return {};
      return require(context, Action::run, Resource::secrets, name);
    }
    if (attaches(before, name)) return {};
    MCPT_CHECK(require(context, Action::edit, kind.resource, own_name));
    return require(context, Action::expose, Resource::servers, name);
  });
}

Result<void> check_definition(const Context& context, const Value& after) {
  MCPT_TRY(const auto wanted, bindings_of(after.find("roleBindings"), "roleBindings"));
  MCPT_CHECK(require_all(context, wanted, true));
  const auto& subjects = after.find("subjects")->items();
  for (size_t i = 0; i < subjects.size(); i++) {
    if (subjects[i].text("kind") != "McpToken") continue;
    crypto::Digest sha{};
    if (from_hex(subjects[i].text("name"), sha) && context.tx.find_token(sha)) continue;
    return fail(Status::invalid, "subjects[" + std::to_string(i) + "].name: there is no token with this SHA-256");
  }
  return {};
}

Result<void> check_model(Context& context, const Value* before, const Value& after) {
  MCPT_TRY(const auto compiled, compile_changed(context.tx, after, context.object ? context.object->id : ""));
  const Value* content = compiled.find("content");
  const bool runs = has_exec_stage(after) || (content && has_exec_stage(*content));
  if (!runs && !(before && has_exec_stage(*before))) return {};
  return require(context, Action::run, Resource::proxymodels, after.text("name"));
}

// What a link shows is shown to whoever may view the prompt.
Result<void> check_link(const Context& context, const Value& prompt) {
  const auto link = prompt.text("linkTarget");
  if (link.empty()) return {};
  const auto slash = link.find('/');
  MCPT_CHECK(require(context, Action::view, Resource::projects, link.substr(0, slash)));
  return require(context, Action::view, Resource::servers, link.substr(slash + 1, link.find(':', slash) - slash - 1));
}

// Whoever puts somebody into a group hands out what the group holds.
Result<void> check_members(const Context& context, const Value* before, const Value& after) {
  if (!before) return {};  // nothing can be bound to a group that does not exist yet
  const auto* had = before->find("members");
  const auto* has = after.find("members");
  const auto is_new = [&](const Value& member) {
    return !had || std::find(had->items().begin(), had->items().end(), member) == had->items().end();
  };
  if (!has || std::none_of(has->items().begin(), has->items().end(), is_new)) return {};
  std::vector<rbac::Binding> wanted;
  MCPT_TRY(const auto definitions, context.tx.list("rbac"));
  for (const auto& definition : definitions) {
    MCPT_TRY(const auto doc, json::parse(definition.doc));
    const auto* subjects = doc.find("subjects");
    const bool bound =
        subjects && std::any_of(subjects->items().begin(), subjects->items().end(), [&](const Value& subject) {
          return subject.text("kind") == "Group" && subject.text("name") == context.object->id;
        });
    if (!bound) continue;
    MCPT_TRY(auto bindings, bindings_of(doc.find("roleBindings"), "roleBindings"));
    wanted.insert(wanted.end(), bindings.begin(), bindings.end());
  }
  return require_all(context, wanted, true);
}

}  // namespace

Result<void> require_all(const Context& context, const std::vector<rbac::Binding>& wanted, bool escalation) {
  const auto held = context.policy.permissions(context.who);
  const auto* missing = rbac::first_uncovered(held, wanted, context.policy.tool_grant());
  if (!missing || (escalation && may_escalate(context))) return {};
  std::string scope(rbac::to_text(missing->role));
  scope += ":";
  scope += missing->operation ? rbac::to_text(*missing->operation) : rbac::to_text(missing->resource);
  return fail(Error(Status::denied, "you do not hold " + rbac::to_text(*missing) + " yourself")
                  .with_code("forbidden")
                  .with_http(403)
                  .with_hint("only rights that you hold at the same scope can be handed on")
                  .with_data(json::to_text(Value::string(scope))));
}

Result<void> check_rights(Context& context, const Kind& kind, const Value* before, const Value& after) {
  MCPT_CHECK(check_references(context, kind, before, after));
  if (kind.name == "server" && (needs_spawn(after) || (before && needs_spawn(*before))))
    MCPT_CHECK(require(context, Action::run, Resource::servers, after.text("name")));
  if (kind.name == "proxymodel") MCPT_CHECK(check_model(context, before, after));
  if (kind.name == "prompt") MCPT_CHECK(check_link(context, after));
  if (kind.name == "rbac") MCPT_CHECK(check_definition(context, after));
  if (kind.name == "group") MCPT_CHECK(check_members(context, before, after));
  return {};
}

}  // namespace mcptoken::control
