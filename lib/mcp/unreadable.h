// What can be told of a text that a server has sent and that is no message: whose answer it would have been. That call fails at once then,
// and does not wait for an answer that has come.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace mcptoken::mcp {

// The number of our request. Nothing: it asks something itself, answers nothing, or cannot be told.
std::optional<int64_t> answered_by(std::string_view text);

}  // namespace mcptoken::mcp
