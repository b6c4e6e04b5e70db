#include "rbac/coverage.h"

#include <algorithm>
#include <tuple>

namespace mcptoken::rbac {
namespace {

std::optional<Role> role_with(uint8_t actions) {
  for (Role role : {Role::view, Role::create, Role::delete_, Role::edit, Role::expose, Role::run}) {
    if (actions_of(role) == actions) return role;
  }
  return std::nullopt;
}

// The meet without implications. Two roles share the actions of a third one or none at all.
std::optional<Binding> direct_meet(const Binding& a, const Binding& b) {
  Right left = right_of(a), right = right_of(b);
  auto role = role_with(left.actions & right.actions);
  if (!role) return std::nullopt;
  if (a.resource != b.resource && a.resource != Resource::any && b.resource != Resource::any) return std::nullopt;
  if (left.range.kind == Range::Kind::nothing || right.range.kind == Range::Kind::nothing) return std::nullopt;
  Binding both;
  both.role = *role;
  both.resource = a.resource == Resource::any ? b.resource : a.resource;
  if (contains(left.range, right.range))
    both.name = b.name;
  else if (contains(right.range, left.range))
    both.name = a.name;
  else
    return std::nullopt;
  return both;
}

std::optional<Binding> implied_binding(const Binding& held, ToolGrant grant) {
  auto right = implied_by(right_of(held), grant);
  if (!right) return std::nullopt;
  Binding tools;
  tools.role = Role::run;
  tools.resource = Resource::tools;
  if (right->range.kind == Range::Kind::prefix) tools.name = std::string(right->range.head) + "/*";
  return tools;
}

}  // namespace

std::string to_text(const Query& query) {
  if (query.operation) return "run:" + std::string(to_text(*query.operation));
  std::string text(to_text(query.action));
  text.append(":").append(to_text(query.resource));
  if (!query.name.empty()) text.append(":").append(query.name);
  return text;
}

Range range_of(Resource resource, std::string_view name) {
  if (name.empty()) return {Range::Kind::all, {}, {}};
  if (resource == Resource::any) return {};
  if (!project_owned(resource) && resource != Resource::tools) return {Range::Kind::one, name, {}};
  size_t slash = name.find('/');
  if (slash == std::string_view::npos) return {};
  std::string_view head = name.substr(0, slash), tail = name.substr(slash + 1);
  if (!tail.ends_with('*')) return {Range::Kind::one, head, tail};
  return {Range::Kind::prefix, head, tail.substr(0, tail.size() - 1)};
}

bool contains(const Range& held, const Range& wanted) {
  if (held.kind == Range::Kind::all) return true;
  if (held.kind == Range::Kind::nothing || held.head != wanted.head) return false;
  if (wanted.kind == Range::Kind::one) {
    return held.kind == Range::Kind::prefix ? wanted.tail.starts_with(held.tail) : wanted.tail == held.tail;
  }
  return wanted.kind == Range::Kind::prefix && held.kind == Range::Kind::prefix && wanted.tail.starts_with(held.tail);
}

Right right_of(const Binding& binding) {
  return {actions_of(binding.role), binding.resource, range_of(binding.resource, binding.name)};
}

Right right_of(const Query& query) {
  return {bit_of(query.action), query.resource, range_of(query.resource, query.name)};
}

bool contains(const Right& held, const Right& wanted) {
  return (wanted.actions & ~held.actions) == 0 &&
         (held.resource == Resource::any || held.resource == wanted.resource) && contains(held.range, wanted.range);
}

std::optional<Right> implied_by(const Right& held, ToolGrant grant) {
  bool views_servers = (held.actions & bit_of(Action::view)) != 0 &&
                       (held.resource == Resource::any || held.resource == Resource::servers);
  if (grant == ToolGrant::run || !views_servers || held.range.kind == Range::Kind::nothing) return std::nullopt;
  Right tools{bit_of(Action::run), Resource::tools, held.range};
  if (held.range.kind == Range::Kind::one) tools.range.kind = Range::Kind::prefix;  // S becomes S/*
  return tools;
}

namespace {

bool covers_right(const Binding& held, const Right& wanted, ToolGrant grant) {
  Right right = right_of(held);
  if (contains(right, wanted)) return true;
  auto implied = implied_by(right, grant);
  return implied && contains(*implied, wanted);
}

}  // namespace

bool covers(const Binding& held, const Binding& wanted, ToolGrant grant) {
  if (held.operation || wanted.operation) return held.operation == wanted.operation;
  return covers_right(held, right_of(wanted), grant);
}

bool covers(const Binding& held, const Query& query, ToolGrant grant) {
  if (held.operation || query.operation) return held.operation == query.operation;
  return covers_right(held, right_of(query), grant);
}

std::optional<Binding> meet(const Binding& a, const Binding& b, ToolGrant grant) {
  if (a.operation || b.operation) return a.operation == b.operation ? std::optional(a) : std::nullopt;
  if (auto both = direct_meet(a, b)) return both;
  // An implied right (run) never meets a right that also meets directly, so at most one of the three is there.
  if (auto tools = implied_binding(a, grant)) {
    if (auto both = direct_meet(*tools, b)) return both;
  }
  if (auto tools = implied_binding(b, grant)) return direct_meet(a, *tools);
  return std::nullopt;
}

std::vector<Binding> reduced(std::vector<Binding> bindings) {
  auto key = [](const Binding& b) {
    return std::tuple(b.operation.has_value(), b.operation, b.resource, std::string_view(b.name), b.role);
  };
  std::sort(bindings.begin(), bindings.end(), [&](const Binding& a, const Binding& b) { return key(a) < key(b); });
  auto same = [](const Binding& a, const Binding& b) {
    return covers(a, b, ToolGrant::run) && covers(b, a, ToolGrant::run);
  };
  std::vector<Binding> kept;
  for (const Binding& one : bindings) {
    bool covered = std::any_of(bindings.begin(), bindings.end(), [&](const Binding& other) {
      // Of equal ones the first stays.
      return covers(other, one, ToolGrant::run) && (!same(one, other) || &other < &one);
    });
    if (!covered) kept.push_back(one);
  }
  return kept;
}

const Binding* first_uncovered(const std::vector<Binding>& held, const std::vector<Binding>& wanted, ToolGrant grant) {
  for (const Binding& one : wanted) {
    bool covered = std::any_of(held.begin(), held.end(), [&](const Binding& own) { return covers(own, one, grant); });
    if (!covered) return &one;
  }
  return nullptr;
}

}  // namespace mcptoken::rbac
