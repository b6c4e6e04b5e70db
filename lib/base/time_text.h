// ISO-8601 instants with a zone, as they appear in answers and in --ttl. No locale, no time zone database.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mcptoken {

std::string to_iso8601(int64_t wall_ms);  // "2026-07-28T09:30:00.123Z"
// YYYY-MM-DDTHH:MM[:SS[.fraction]](Z|±HH:MM); nothing when malformed, out of range, or without a zone.
std::optional<int64_t> from_iso8601(std::string_view text);

}  // namespace mcptoken
