#include "rbac/vocabulary.h"

#include <array>

namespace mcptoken::rbac {
namespace {

template <class T>
struct Word {
  T value;
  std::string_view text;
};

// One row a value, in the order of the enum: the index is the value.
constexpr Word<Action> kActions[] = {
    {Action::view, "view"},      {Action::create, "create"}, {Action::edit, "edit"},
    {Action::delete_, "delete"}, {Action::expose, "expose"}, {Action::run, "run"},
};
constexpr Word<Operation> kOperations[] = {
    {Operation::logs, "logs"},
    {Operation::backup, "backup"},
    {Operation::restore, "restore"},
    {Operation::impersonate, "impersonate"},
    {Operation::audit_export, "audit-export"},
    {Operation::audit_purge, "audit-purge"},
    {Operation::set_own_password, "set-own-password"},
    {Operation::escalate, "escalate"},
};
constexpr Word<SubjectKind> kSubjectKinds[] = {
    {SubjectKind::user, "User"},
    {SubjectKind::group, "Group"},
    {SubjectKind::service_account, "ServiceAccount"},
    {SubjectKind::mcp_token, "McpToken"},
};

constexpr uint8_t set_of(std::initializer_list<Action> actions) {
  uint8_t set = 0;
  for (Action action : actions)
    set = static_cast<uint8_t>(set | 1 << static_cast<int>(action));
  return set;
}

struct RoleRow {
  Role value;
  std::string_view text;
  uint8_t actions;
};
constexpr RoleRow kRoles[] = {
    {Role::view, "view", set_of({Action::view})},
    {Role::create, "create", set_of({Action::create})},
    {Role::delete_, "delete", set_of({Action::delete_})},
    {Role::edit, "edit", set_of({Action::view, Action::create, Action::edit, Action::delete_, Action::expose})},
    {Role::expose, "expose", set_of({Action::view, Action::expose})},
    {Role::run, "run", set_of({Action::run})},
};

struct ResourceRow {
  Resource value;
  std::string_view text;
  std::array<std::string_view, 3> aliases;
  bool project_owned = false;
};
constexpr ResourceRow kResources[] = {
    {Resource::any, "*", {}},
    {Resource::servers, "servers", {"server", "srv"}},
    {Resource::instances, "instances", {"instance", "inst"}},
    {Resource::secrets, "secrets", {"secret", "sec"}},
    {Resource::projects, "projects", {"project", "proj"}},
    {Resource::templates, "templates", {"template", "tmpl"}},
    {Resource::users, "users", {"user"}},
    {Resource::groups, "groups", {"group"}},
    {Resource::rbac, "rbac", {"rbacs", "rbac-definition"}},
    {Resource::prompts, "prompts", {"prompt"}, true},
    {Resource::promptrequests, "promptrequests", {"promptrequest", "pr"}, true},
    {Resource::mcptokens, "mcptokens", {"mcptoken", "token", "tokens"}, true},
    {Resource::proxymodels, "proxymodels", {"proxymodel", "pm"}},
    {Resource::tools, "tools", {"tool"}},
    {Resource::audit, "audit", {}},
};

template <class Table>
constexpr bool in_enum_order(const Table& table) {
  size_t index = 0;
  for (const auto& row : table) {
    if (static_cast<size_t>(row.value) != index++) return false;
  }
  return true;
}
static_assert(in_enum_order(kActions) && in_enum_order(kOperations) && in_enum_order(kSubjectKinds));
static_assert(in_enum_order(kRoles) && in_enum_order(kResources));

template <class T, size_t N, template <class> class Row>
std::optional<T> find(const Row<T> (&table)[N], std::string_view text) {
  for (const auto& row : table) {
    if (row.text == text) return row.value;
  }
  return std::nullopt;
}

template <class Table, class T>
const auto& row_of(const Table& table, T value) {
  return table[static_cast<size_t>(value)];
}

}  // namespace

std::string_view to_text(Role role) { return row_of(kRoles, role).text; }
std::string_view to_text(Action action) { return row_of(kActions, action).text; }
std::string_view to_text(Resource resource) { return row_of(kResources, resource).text; }
std::string_view to_text(Operation operation) { return row_of(kOperations, operation).text; }
std::string_view to_text(SubjectKind kind) { return row_of(kSubjectKinds, kind).text; }

std::optional<Action> action_of(std::string_view text) { return find(kActions, text); }
std::optional<Operation> operation_of(std::string_view text) { return find(kOperations, text); }
std::optional<SubjectKind> subject_kind_of(std::string_view text) { return find(kSubjectKinds, text); }

std::optional<Role> role_of(std::string_view text) {
  for (const RoleRow& row : kRoles) {
    if (row.text == text) return row.value;
  }
  return std::nullopt;
}

std::optional<Resource> resource_of(std::string_view text) {
  if (text.empty()) return std::nullopt;  // unused alias cells are empty
  for (const ResourceRow& row : kResources) {
    if (row.text == text) return row.value;
    for (std::string_view alias : row.aliases) {
      if (alias == text) return row.value;
    }
  }
  return std::nullopt;
}

uint8_t actions_of(Role role) { return row_of(kRoles, role).actions; }
bool grants(Role role, Action action) { return (actions_of(role) >> static_cast<int>(action) & 1) != 0; }
bool project_owned(Resource resource) { return row_of(kResources, resource).project_owned; }

}  // namespace mcptoken::rbac
