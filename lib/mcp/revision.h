// Start here. lib/mcp speaks the Model Context Protocol as a client and gives the gateway its codecs. Protocol files
// (revision, message, header, params, rpc) do no I/O; peer files talk to one server over HTTP or stdio.
//
// Two eras: legacy revisions open with `initialize`; the modern one carries everything in each request's `_meta`.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace mcptoken::mcp {

enum class Era : uint8_t { legacy, modern };

inline constexpr std::string_view kModernRevision = "2026-07-28";
inline constexpr std::string_view kNewestLegacyRevision = "2025-11-25";
inline constexpr std::string_view kAssumedLegacyRevision = "2025-03-26";  // a request without a version header

bool is_modern(std::string_view revision);
bool is_legacy(std::string_view revision);             // one that we serve over Streamable HTTP or stdio
std::span<const std::string_view> legacy_revisions();  // newest first

// What a client offers, as a mask: the part of its capabilities that decides what may be relayed to it.
enum Capability : uint32_t {
  kElicitationForm = 1,
  kElicitationUrl = 2,
  kSampling = 4,
  kSamplingTools = 8,
  kRoots = 16,
};
// Canonical JSON of a mask, for towards an upstream; `{}` for 0.
std::string capabilities_json(uint32_t mask);

}  // namespace mcptoken::mcp
