// Input requests across eras: a modern server (2026-07-28, multi round-trip requests) answers `input_required` and is
// called again with the answers. A modern client does that itself, with a state that only it can hand back; for a
// legacy client each entry becomes a request of ours, as if the server had sent it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/call_events.h"
#include "gateway/endpoint.h"
#include "json/edit.h"
#include "mcp/rewrite.h"

namespace mcptoken::gateway {

bool is_input_required(const mcp::Message& answer);
// Errors: something is asked for that the client has not declared, or the result is none that we know.
Result<void> check_input_requests(const mcp::Message& answer, uint32_t capabilities);

// A call, and again with the client's answers as often as the server asks. A modern client does that itself.
loop::Task<Result<UpstreamAnswer>> call_with_input(Site& site, const Client& client, UpstreamCall call, CallEvents& events,
                                                   loop::Scope& scope);

// --- towards a modern client. `target`: what the call is, down to the server and the name there.
// The edits of a result that make the server's state one that only this caller can hand back, for this target.
Result<std::vector<json::Edit>> seal_state(const Exchange& exchange, const std::string& target, const mcp::Message& answer, int round);
struct ClientState {
  int round = 0;         // how often the client has been asked
  std::string upstream;  // the server's own
  bool given = false;    // the request has one
};
// Status::invalid for a state that is not this caller's for this target.
Result<ClientState> open_state(const Exchange& exchange, const std::string& target, const mcp::Message& request);

}  // namespace mcptoken::gateway
