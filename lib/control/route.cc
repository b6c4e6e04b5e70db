// The routes table, and finding a row in it.
#include "control/route.h"

#include <algorithm>

#include "base/bytes.h"
#include "control/audit_export.h"
#include "control/handlers.h"
#include "control/kind.h"
#include "control/traffic.h"

namespace mcptoken::control {
namespace {

using rbac::Action;
using rbac::Operation;
using rbac::Resource;
constexpr auto kNever = TokenAccess::never;
constexpr auto kOwnProject = TokenAccess::self_project;
constexpr auto kItself = TokenAccess::itself;
constexpr auto kWatch = TokenAccess::watch;
constexpr auto kReports = TokenAccess::reports;

// The same six rows for every kind that is an object. Users are written by a handler that can hash.
void add_kind(std::vector<Route>& table, const Kind& kind) {
  const auto all = "/api/v1/" + std::string(kind.plural);
  // The segment has the kind's name, so that a project's own row falls under the fence like every row below it.
  const auto one = all + "/:" + std::string(kind.name);
  const auto read = kind.name == "project" ? kOwnProject : kNever;
  const auto on = [&](Action action) { return needs(action, kind.resource, kind.name); };
  table.emplace_back("GET", all, needs_some(Action::view, kind.resource), kNever, list_objects, &kind);
  table.emplace_back("GET", one, on(Action::view), read, get_object, &kind);
  table.emplace_back("GET", one + "/describe", on(Action::view), read, describe_object, &kind);
  table.emplace_back("DELETE", one, on(Action::delete_), kNever, delete_object, &kind);
  if (kind.name == "user") {
    table.emplace_back("POST", all, needs_some(Action::create, kind.resource), kNever, write_user, &kind);
    table.emplace_back("PUT", one, on(Action::edit), kNever, write_user, &kind);
    table.emplace_back("PATCH", one, on(Action::edit), kNever, write_user, &kind);
  } else {
    table.emplace_back("POST", all, needs_some(Action::create, kind.resource), kNever, create_object, &kind);
    table.emplace_back("PUT", one, on(Action::edit), kNever, replace_object, &kind);
    table.emplace_back("PATCH", one, on(Action::edit), kNever, patch_object, &kind);
  }
}

std::vector<Route> build() {
  std::vector<Route> table;
  for (const auto& kind : kinds()) {
    if (!kind.is_virtual) add_kind(table, kind);
  }
  const auto row = [&](auto&&... columns) -> Route& {
    return table.emplace_back(std::forward<decltype(columns)>(columns)...);
  };
  row("GET", "/api/v1/projects/:project/servers", needs(Action::view, Resource::projects, "project"), kOwnProject,
      list_project_servers);
  row("GET", "/api/v1/projects/:project/tools", needs(Action::view, Resource::projects, "project"), kOwnProject,
      list_project_tools);
  row("GET", "/api/v1/projects/:project/servers/:server/tools", needs(Action::view, Resource::projects, "project"),
      kOwnProject, list_project_tools);
  row("GET", "/api/v1/projects/:project/prompts/visible", needs(Action::view, Resource::projects, "project"),
      kOwnProject, list_visible_prompts);
  row("GET", "/api/v1/projects/:project/gate", anybody_known(), kOwnProject, get_gate);
  row("PUT", "/api/v1/projects/:project/gate", anybody_known(), kOwnProject, put_gate);
  row("POST", "/api/v1/projects/:project/promptrequests", needs_some(Action::create, Resource::promptrequests),
      kOwnProject, create_object, find_kind("promptrequest"));
  row("POST", "/api/v1/promptrequests/:promptrequest/approve",
      needs(Action::edit, Resource::promptrequests, "promptrequest"), kNever, approve_promptrequest,
      find_kind("prompt"));

  row("POST", "/api/v1/servers/:server/approve", needs(Action::edit, Resource::servers, "server"), kNever,
      approve_tools, find_kind("server"));

  row("POST", "/api/v1/mcptokens", needs_some(Action::create, Resource::mcptokens), kNever, mint_token);
  row("GET", "/api/v1/mcptokens", anybody_known(), kNever, list_tokens);
  row("GET", "/api/v1/mcptokens/introspect", anybody_known(), kItself, introspect);
  row("GET", "/api/v1/mcptokens/changes", anybody_known(), kWatch, watch_changes);
  row("GET", "/api/v1/mcptokens/:id", anybody_known(), kItself, get_token);
  row("GET", "/api/v1/mcptokens/:id/describe", anybody_known(), kNever, describe_token);
  row("DELETE", "/api/v1/mcptokens/:id", anybody_known(), kItself, revoke_token);
  row("POST", "/api/v1/mcptokens/:id/revoke", anybody_known(), kItself, revoke_token);
  row("POST", "/api/v1/mcptokens/:id/rotate", anybody_known(), kNever, rotate_token);

  row("GET", "/api/v1/instances", needs_some(Action::view, Resource::instances), kNever, list_instances);
  row("GET", "/api/v1/instances/:instance", needs_some(Action::view, Resource::instances), kNever, get_instance);
  row("GET", "/api/v1/instances/:instance/logs", needs_operation(Operation::logs), kNever, read_instance_log);
  row("DELETE", "/api/v1/instances/:instance", needs_some(Action::delete_, Resource::instances), kNever,
      delete_instance);

  row("GET", "/api/v1/cache", needs_some(Action::view, Resource::projects), kNever, get_cache);
  row("DELETE", "/api/v1/cache", needs_some(Action::edit, Resource::projects), kNever, clear_cache);
  row("GET", "/api/v1/cache/entries", needs_some(Action::view, Resource::projects), kNever, list_cache);

  row("GET", "/api/v1/audit/events", needs_some(Action::view, Resource::audit), kNever, list_events);
  row("DELETE", "/api/v1/audit/events", needs_operation(Operation::audit_purge), kNever, purge_events);
  row("GET", "/api/v1/audit/sessions", needs_some(Action::view, Resource::audit), kNever, list_audit_sessions);
  row("POST", "/api/v1/projects/:project/audit", anybody_known(), kReports, report_events);
  row("GET", "/api/v1/audit/export", needs_operation(Operation::audit_export), kNever, export_audit);
  row("GET", "/api/v1/audit/verify", needs(Action::view, Resource::audit, ""), kNever, verify_audit);

  row("POST", "/api/v1/apply", anybody_known(), kNever, apply_objects);
  row("GET", "/api/v1/backup", needs_operation(Operation::backup), kNever, make_backup);
  row("POST", "/api/v1/backup", needs_operation(Operation::backup), kNever, make_backup);
  row("POST", "/api/v1/restore", needs_operation(Operation::restore), kNever, restore_backup).body_bytes =
      limits::kRestoreBytes;

  row("POST", "/api/v1/auth/bootstrap", open_to_all(), kNever, bootstrap);
  row("POST", "/api/v1/auth/login", open_to_all(), kNever, login);
  row("POST", "/api/v1/auth/logout", anybody_known(), kNever, logout);
  row("GET", "/api/v1/auth/whoami", anybody_known(), kItself, whoami);
  row("POST", "/api/v1/users/me/password", needs_operation(Operation::set_own_password), kNever, change_own_password);
  row("PUT", "/api/v1/users/:user/password", needs(Action::edit, Resource::users, "user"), kNever, reset_password);

  row("POST", "/api/v1/authz/check", anybody_known(), kItself, check_access);
  row("GET", "/api/v1/status", anybody_known(), kNever, get_status);
  row("GET", "/api/v1/watch", anybody_known(), kNever, watch_objects);
  row("GET", "/api/v1/traffic", needs_some(Action::view, Resource::audit), kNever, watch_traffic);
  row("GET", "/api/v1/kinds", open_to_all(), kNever, get_kinds);
  row("GET", "/api/v1/version", open_to_all(), kNever, get_version);
  return table;
}

struct Compiled {
  const Route* route;
  std::vector<std::string_view> segments;
  size_t literals;
};

const std::vector<Compiled>& compiled() {
  static const std::vector<Compiled> table = [] {
    std::vector<Compiled> out;
    for (const auto& route : routes()) {
      auto segments = split(std::string_view(route.pattern).substr(1), '/');
      const auto literals =
          std::count_if(segments.begin(), segments.end(), [](std::string_view s) { return !s.starts_with(':'); });
      out.push_back({&route, std::move(segments), static_cast<size_t>(literals)});
    }
    return out;
  }();
  return table;
}

bool fits(const Compiled& row, std::span<const std::string> path) {
  return row.segments.size() == path.size() &&
         std::equal(path.begin(), path.end(), row.segments.begin(), [](const std::string& have, std::string_view want) {
           return want.starts_with(':') ? !have.empty() : have == want;
         });
}

}  // namespace

std::span<const Route> routes() {
  static const std::vector<Route> table = build();
  return table;
}

const Route* match(std::string_view method, std::span<const std::string> path, Params& params,
                   std::vector<std::string_view>& allowed) {
  // The most literal pattern that fits is the path's only meaning: a method that it lacks does not fall through to a
  // wider one.
  const Compiled* best = nullptr;
  size_t literals = 0;
  params.clear();
  allowed.clear();
  for (const auto& row : compiled()) {
    if (fits(row, path)) literals = std::max(literals, row.literals);
  }
  for (const auto& row : compiled()) {
    if (row.literals != literals || !fits(row, path)) continue;
    allowed.push_back(row.route->method);
    if (row.route->method == method) best = &row;
  }
  if (!best) return nullptr;
  for (size_t i = 0; i < path.size(); i++) {
    if (best->segments[i].starts_with(':')) params.add(best->segments[i].substr(1), path[i]);
  }
  return best->route;
}

Result<void> read_dry_run(Request& request, const Route& route) {
  const auto at = request.query.find("dryRun");
  if (at == request.query.end() || !route.may_dry_run()) return {};
  if (at->second != "true" && at->second != "false")
    return fail(Status::invalid, "query: dryRun must be true or false");
  request.dry_run = at->second == "true";
  request.query.erase(at);
  return {};
}

bool Route::may_dry_run() const {
  return method != "GET" && (kind || async_handler == mint_token || async_handler == rotate_token ||
                             handler == revoke_token || async_handler == apply_objects);
}

bool Route::reads_only() const { return handler && (method == "GET" || handler == check_access); }

bool Route::judges_bearer() const { return handler == introspect; }

bool Route::takes_away() const { return method == "DELETE" || handler == revoke_token || handler == logout; }

const std::string& Params::get(std::string_view name) const {
  static const std::string nothing;
  for (const auto& [key, value] : values_) {
    if (key == name) return value;
  }
  return nothing;
}

const std::string* Request::parameter(const std::string& name) const {
  const auto at = query.find(name);
  return at == query.end() ? nullptr : &at->second;
}

}  // namespace mcptoken::control
