#include "service/mcp_target.h"

#include <algorithm>

namespace mcptoken::service {

namespace {

bool may_use_something(const rbac::Policy& policy, const rbac::Principal& who, std::string_view server) {
  return policy.may_use_any_tool(who, server) || policy.may_use_server(who, server);
}

}  // namespace

std::optional<McpTarget> mcp_target(std::span<const std::string> path) {
  auto fits = [&](std::initializer_list<std::string_view> pattern) {
    return std::equal(path.begin(), path.end(), pattern.begin(), pattern.end(),
                      [](const std::string& have, std::string_view want) { return want == ":" || have == want; });
  };
  if (fits({"mcp"})) return McpTarget();
  if (fits({"projects", ":", "mcp"})) return McpTarget{path[1], ""};
  if (fits({"api", "v1", "projects", ":", "servers", ":", "mcp"})) return McpTarget{path[3], path[5]};
  return std::nullopt;
}

std::shared_ptr<const gateway::ProjectView> channel_view(const gateway::ProjectView& project,
                                                         const rbac::Principal& who, const std::string& server) {
  auto at = std::find_if(project.attachments.begin(), project.attachments.end(),
                         [&](const gateway::Attachment& one) { return one.server->name == server; });
  if (at == project.attachments.end() || !may_use_something(*project.policy, who, server)) return nullptr;
  auto view = std::make_shared<gateway::ProjectView>();
  view->id = project.id;
  view->name = project.name;
  view->revision = project.revision;
  view->separator = project.separator;
  view->policy = project.policy;
  view->attachments.push_back({at->server, ""});
  return view;
}

}  // namespace mcptoken::service
