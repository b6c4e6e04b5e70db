// The routing headers of the modern era: values outside visible ASCII travel as =?base64?…?= (2026-07-28, Streamable HTTP).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mcptoken::mcp {

std::string encode_header(std::string_view value);
// Nothing when a complete marker holds bad Base64 or decodes to something with CR, LF or NUL.
std::optional<std::string> decode_header(std::string_view value);

// The member of params that the Mcp-Name header of a request repeats; "" for methods without that header.
std::string_view named_member(std::string_view method);

}  // namespace mcptoken::mcp
