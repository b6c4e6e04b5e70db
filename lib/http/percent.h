// Percent-decoding of parts of a URI (RFC 3986 section 2.1).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mcptoken::http {

enum class Plus : uint8_t { plus, space };  // what a `+` stands for; space: as forms spell queries

// Once. Nothing for a bad escape or NUL, escaped or not.
std::optional<std::string> percent_decode(std::string_view text, Plus plus);

}  // namespace mcptoken::http
