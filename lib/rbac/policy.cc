#include "rbac/policy.h"

#include <algorithm>

#include "rbac/compiled.h"

namespace mcptoken::rbac {
namespace {

Right tool_right(std::string_view server, std::string_view tool) {
  return {bit_of(Action::run), Resource::tools, {Range::Kind::one, server, tool}};
}
Right all_tools_of(std::string_view server) {
  return {bit_of(Action::run), Resource::tools, {Range::Kind::prefix, server, {}}};
}

bool has_some_tool(Holdings holdings, std::string_view server) {
  return std::any_of(holdings.begin(), holdings.end(), [&](const Holding* one) {
    return one->allows_all_tools() ||
           std::any_of(one->scoped(Resource::tools, server).begin(), one->scoped(Resource::tools, server).end(),
                       [](const Right& right) { return (right.actions & bit_of(Action::run)) != 0; });
  });
}

// Is there a tool that both allow? Two ranges share one exactly when one contains the other.
bool share_some_tool(Holdings left, Holdings right, std::string_view server) {
  if (allows(left, all_tools_of(server))) return has_some_tool(right, server);
  if (allows(right, all_tools_of(server))) return has_some_tool(left, server);
  for (const Holding* a : left) {
    for (const Right& wanted : a->scoped(Resource::tools, server)) {
      for (const Holding* b : right) {
        for (const Right& other : b->scoped(Resource::tools, server)) {
          if ((wanted.actions & other.actions & bit_of(Action::run)) == 0) continue;
          if (contains(wanted.range, other.range) || contains(other.range, wanted.range)) return true;
        }
      }
    }
  }
  return false;
}

std::vector<Binding> bindings_of(Holdings holdings) {
  std::vector<Binding> all;
  for (const Holding* one : holdings) {
    for (const Source& source : one->sources())
      all.push_back(*source.binding);
  }
  return reduced(std::move(all));
}

Binding resource_binding(Role role, Resource resource, std::string name = {}) {
  Binding binding;
  binding.role = role;
  binding.resource = resource;
  binding.name = std::move(name);
  return binding;
}

std::vector<Binding> everything() {
  std::vector<Binding> all = {resource_binding(Role::edit, Resource::any), resource_binding(Role::run, Resource::any)};
  for (int i = 0; i <= static_cast<int>(Operation::escalate); ++i) {
    all.push_back(resource_binding(Role::run, Resource::any));
    all.back().operation = static_cast<Operation>(i);
  }
  return reduced(std::move(all));
}

// The names on which one of the bindings grants the action, implications included.
Scope scope_in(const std::vector<Binding>& held, Action action, Resource resource, ToolGrant grant) {
  Scope scope;
  for (const Binding& binding : held) {
    if (binding.operation) continue;
    Right right = right_of(binding);
    auto implied = implied_by(right, grant);
    for (const Right* one : {&right, implied ? &*implied : nullptr}) {
      if (one == nullptr || (one->actions & bit_of(action)) == 0) continue;
      if (one->resource != Resource::any && one->resource != resource) continue;
      if (one->range.kind == Range::Kind::all) return {true, {}};
      scope.names.push_back(one == &right ? binding.name : binding.name + "/*");
    }
  }
  std::sort(scope.names.begin(), scope.names.end());
  scope.names.erase(std::unique(scope.names.begin(), scope.names.end()), scope.names.end());
  return scope;
}

}  // namespace

bool Scope::admits(std::string_view name) const {
  return all || std::any_of(names.begin(), names.end(), [&](std::string_view one) {
           return one.ends_with('*') ? name.starts_with(one.substr(0, one.size() - 1)) : name == one;
         });
}

Policy::Policy(std::vector<Definition> definitions, std::vector<Group> groups, Ceiling ceiling, ToolGrant tool_grant)
    : compiled_(std::make_shared<const Compiled>(std::move(definitions), groups, ceiling, tool_grant)) {}

ToolGrant Policy::tool_grant() const { return compiled_->tool_grant; }

bool Policy::allowed(const Principal& who, const Query& query) const {
  return passes(compiled_->judges_of(who), [&](Holdings held) { return allows(held, query); });
}

bool Policy::may_use_tool(const Principal& who, std::string_view server, std::string_view tool) const {
  return tools_of(who, server).allows(tool);
}

ToolRights Policy::tools_of(const Principal& who, std::string_view server) const {
  return ToolRights(compiled_->judges_of(who), server);
}

bool ToolRights::allows(std::string_view tool) const {
  const Right wanted = tool_right(server_, tool);
  return passes(judges_, [&](Holdings held) { return rbac::allows(held, wanted); });
}

bool Policy::may_use_server(const Principal& who, std::string_view server) const {
  Right view{bit_of(Action::view), Resource::servers, {Range::Kind::one, server, {}}}, run = all_tools_of(server);
  const Judges judges = compiled_->judges_of(who);
  return passes(judges, [&](Holdings held) { return allows(held, view); }) ||
         passes(judges, [&](Holdings held) { return allows(held, run); });
}

bool Policy::may_use_any_tool(const Principal& who, std::string_view server) const {
  if (who.kind == PrincipalKind::system) return true;
  Holdings own = compiled_->own(who);
  if (who.kind != PrincipalKind::token || compiled_->ceiling == Ceiling::mint) return has_some_tool(own, server);
  return compiled_->owner_may_view_project(who) && share_some_tool(own, compiled_->user(who.user_id), server);
}

Decision Policy::decide(const Principal& who, const Query& query) const {
  if (who.kind == PrincipalKind::system) return {true, "system"};
  if (who.kind == PrincipalKind::anonymous) return {false, "not authenticated: missing " + to_text(query)};
  const Compiled& all = *compiled_;
  const Source* deciding = nullptr;
  for (const Holding* one : all.own(who)) {
    for (const Source& source : one->sources()) {
      if (!covers(*source.binding, query, all.tool_grant)) continue;
      // The first in the order of definitions: a group's definition may come before the user's own.
      if (deciding == nullptr || source.definition < deciding->definition) deciding = &source;
      break;
    }
  }
  if (deciding == nullptr) return {false, "missing " + to_text(query)};
  if (who.kind == PrincipalKind::token && all.ceiling == Ceiling::live) {
    if (!all.owner_may_view_project(who)) return {false, "the token's owner is missing view:projects:" + who.project};
    if (!allows(all.user(who.user_id), query)) return {false, "the token's owner is missing " + to_text(query)};
  }
  return {true, deciding->definition->name + ": " + to_text(*deciding->binding)};
}

std::vector<Binding> Policy::permissions(const Principal& who) const {
  if (who.kind == PrincipalKind::system) return everything();
  std::vector<Binding> own = bindings_of(compiled_->own(who));
  if (who.kind != PrincipalKind::token || compiled_->ceiling == Ceiling::mint) return own;
  if (!compiled_->owner_may_view_project(who)) return {};
  std::vector<Binding> both, owner = bindings_of(compiled_->user(who.user_id));
  for (const Binding& a : own) {
    for (const Binding& b : owner) {
      if (auto one = meet(a, b, compiled_->tool_grant)) both.push_back(*std::move(one));
    }
  }
  return reduced(std::move(both));
}

Scope Policy::scope(const Principal& who, Action action, Resource resource) const {
  return scope_in(permissions(who), action, resource, compiled_->tool_grant);
}

bool Policy::same_own_bindings(const Principal& who, const Policy& other) const {
  const auto bindings = [&](const Compiled& compiled) {
    std::vector<const Binding*> all;
    for (const Holding* one : compiled.own(who)) {
      for (const Source& source : one->sources())
        all.push_back(source.binding);
    }
    return all;
  };
  const auto mine = bindings(*compiled_), others = bindings(*other.compiled_);
  return std::equal(mine.begin(), mine.end(), others.begin(), others.end(),
                    [](const Binding* a, const Binding* b) { return *a == *b; });
}

crypto::Digest Policy::rights_digest(const Principal& who) const {
  struct Asked {
    Role role;
    Resource resource;
  };
  std::vector<Binding> held = permissions(who), visible;
  for (Asked asked : {Asked{Role::run, Resource::tools}, Asked{Role::view, Resource::servers},
                      Asked{Role::view, Resource::prompts}}) {
    auto action = asked.role == Role::run ? Action::run : Action::view;
    Scope scope = scope_in(held, action, asked.resource, compiled_->tool_grant);
    if (scope.all) visible.push_back(resource_binding(asked.role, asked.resource));
    for (std::string& name : scope.names)
      visible.push_back(resource_binding(asked.role, asked.resource, std::move(name)));
  }
  crypto::Sha256 digest;
  for (const Binding& one : reduced(std::move(visible))) {  // one spelling for one set of rights
    std::string text = to_text(one);
    digest.update(std::to_string(text.size())).update(":").update(text);
  }
  return digest.finish();
}

}  // namespace mcptoken::rbac
