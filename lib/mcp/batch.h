// Several messages in one text, which revision 2025-03-26 alone has (JSON-RPC 2.0 section 6; gone in 2025-06-18).
#pragma once

#include <string_view>
#include <vector>

#include "mcp/message.h"

namespace mcptoken::mcp {

inline constexpr std::string_view kBatchRevision = "2025-03-26";

bool is_batch(std::string_view text);

// What a server of that revision sends at once. What is no message is left out; of a text that is too long, or holds too many,
// nothing is read.
std::vector<Message> read_batch(std::string_view text);

}  // namespace mcptoken::mcp
