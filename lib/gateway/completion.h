// What a server suggests for an argument.
#pragma once

#include <vector>

#include "json/edit.h"
#include "mcp/message.h"

namespace mcptoken::gateway {

// Cuts a completion off at as many values as one may have (2025-11-25 and 2026-07-28, completion: 100), and says so.
std::vector<json::Edit> completion_edits(const mcp::Message& answer);

}  // namespace mcptoken::gateway
