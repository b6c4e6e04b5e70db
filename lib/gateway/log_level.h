// Levels of log messages (RFC 5424, as MCP spells them).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "mcp/message.h"

namespace mcptoken::gateway {

// Its place among them, the most talkative first; nothing for what is none.
inline std::optional<size_t> log_rank(std::string_view level) {
  constexpr std::array<std::string_view, 8> kLevels = {"debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"};
  auto it = std::find(kLevels.begin(), kLevels.end(), level);
  return it == kLevels.end() ? std::nullopt : std::optional<size_t>(static_cast<size_t>(it - kLevels.begin()));
}

// Whether a line is for a client that wants those from that level on, "" when it has said nothing.
inline bool is_wanted(std::string_view level, const mcp::Message& line) {
  return level.empty() || log_rank(line.string_param("level").value_or("")) >= log_rank(level);
}

}  // namespace mcptoken::gateway
