// Paths of MCP endpoints, and what a channel to one server shows of its project.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "gateway/control_plane.h"

namespace mcptoken::service {

struct McpTarget {
  std::string project;  // "": the token's own
  std::string server;   // "": all that are attached
};

// /mcp, /projects/<p>/mcp, /api/v1/projects/<p>/servers/<s>/mcp; nothing for another path.
std::optional<McpTarget> mcp_target(std::span<const std::string> path);

// The project with that server alone, under its own names. Nothing when it is not attached, or the principal may use
// nothing of it: both look alike.
std::shared_ptr<const gateway::ProjectView> channel_view(const gateway::ProjectView& project,
                                                         const rbac::Principal& who, const std::string& server);

}  // namespace mcptoken::service
