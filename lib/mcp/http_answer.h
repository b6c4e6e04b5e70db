// What HttpPeer's files share about answers over HTTP.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "http/http1.h"
#include "loop/scope.h"

namespace mcptoken::mcp {

inline constexpr std::string_view kEventStream = "text/event-stream";
inline constexpr std::string_view kJson = "application/json";

// Whether an answer to what was said in a legacy session says that the server has forgotten the session (2025-11-25, session
// management). `body` as far as it was read.
bool denies_session(const http::Response& head, std::string_view body);

// What ends a call has a text of its own, which names the server.
Error labelled(Error error, const std::string& label, const loop::Scope& scope);

}  // namespace mcptoken::mcp
