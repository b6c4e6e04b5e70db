// Start here. lib/rbac is pure: the vocabulary, bindings and their text, compiled policy, and the ONE decision
// function.
//
// Spellings and aliases are tables; every name from outside is mapped through them before any check. Reading order:
// vocabulary.h (words, bindings, text), coverage.h (what a binding covers), policy.h (decisions), json.h (stored
// shape).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mcptoken::rbac {

enum class Role : uint8_t { view, create, delete_, edit, expose, run };
enum class Action : uint8_t { view, create, edit, delete_, expose, run };
enum class Resource : uint8_t {
  any,
  servers,
  instances,
  secrets,
  projects,
  templates,
  users,
  groups,
  rbac,
  prompts,
  promptrequests,
  mcptokens,
  proxymodels,
  tools,
  audit,
};
enum class Operation : uint8_t {
  logs,
  backup,
  restore,
  impersonate,
  audit_export,
  audit_purge,
  set_own_password,
  escalate,
};
enum class SubjectKind : uint8_t { user, group, service_account, mcp_token };

std::string_view to_text(Role);
std::string_view to_text(Action);
std::string_view to_text(Resource);  // canonical plural; "*" for any
std::string_view to_text(Operation);
std::string_view to_text(SubjectKind);  // "User", "Group", "ServiceAccount", "McpToken"

// Exact spelling only (no case folding, no trimming); resources also by alias.
std::optional<Role> role_of(std::string_view);
std::optional<Action> action_of(std::string_view);
std::optional<Resource> resource_of(std::string_view);
std::optional<Operation> operation_of(std::string_view);
std::optional<SubjectKind> subject_kind_of(std::string_view);

bool grants(Role role, Action action);  // edit: view create edit delete expose; expose: view expose; others: themselves
uint8_t actions_of(Role role);          // the same as a set: bit (1 << Action)
bool project_owned(Resource resource);  // names are <project>/<name>: mcptokens, prompts, promptrequests

// Either a resource binding {role, resource, name?} or an operation {run, operation}.
struct Binding {
  Role role = Role::view;
  Resource resource = Resource::any;
  std::optional<Operation> operation;
  // Empty: all objects. "<p>/<n>" or "<p>/*" for project-owned kinds, "<server>/<tool>" with an optional trailing '*'
  // for tools, a project for audit, an e-mail address or an id for users. Never with Resource::any. Operations have no
  // name.
  std::string name;
  bool operator==(const Binding&) const = default;
};

// "role:view,resource:servers,name:my-ha" or "action:logs". ASCII spaces around ',' and ':' are dropped, nothing else
// is trimmed or folded. Errors: Status::invalid naming the position ("column 6: ...", bytes, from 1).
Result<Binding> parse_binding(std::string_view text);
// Several of them: at most limits::kBindingsPerToken texts (Status::limit), repeated ones kept once, order kept.
Result<std::vector<Binding>> parse_bindings(std::span<const std::string> texts);
std::string to_text(const Binding& binding);  // canonical: parse_binding() gives the same binding back
// Shape of a name scope for that resource: empty, or as described at Binding::name.
Result<void> check_scope(Resource resource, std::string_view name);

// local@domain with the domain in lower case: how users are named. Addresses are compared byte by byte after this.
bool is_email(std::string_view text);

}  // namespace mcptoken::rbac
