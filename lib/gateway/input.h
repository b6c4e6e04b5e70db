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
#include "mcp/input_request.h"
#include "mcp/rewrite.h"

namespace mcptoken::gateway {

// --- towards a modern client. `target`: what the call is, down to the server and the name there.
// The edits of a result that make the server's state one that only this caller can hand back, for this target.
Result<std::vector<json::Edit>> seal_state(const Exchange& exchange, const std::string& target, const mcp::Message& answer, int round);
struct ClientState {
  int round = 0;         // how often the client has been asked
  std::string upstream;  // the server's own
  bool given = false;    // the request has one of a server
  std::string parked;    // instead: the id of the call that waits in `loop`
  size_t loop = 0;
};
// Status::invalid for a state that is not this caller's for this target.
Result<ClientState> open_state(const Exchange& exchange, const std::string& target, const mcp::Message& request);

// A call, which outlives the task, and again with the client's answers as often as the server asks. A modern client
// does that itself; for it a call of a server that asks meanwhile is parked.
loop::Task<Result<Turn>> call_with_input(const Exchange& exchange, const Client& client, UpstreamCall& call,
                                         const std::string& target, const ClientState& state, CallEvents& events,
                                         loop::Scope& scope);
// The result that asks a modern client, raw JSON.
Result<std::string> ask_result(const Exchange& exchange, const std::string& target, const Turn& turn);
// The same for a legacy server's error which says that the client has to visit addresses first (2025-11-25, URL elicitation
// required): the client does, and calls again. Nothing for other errors, and for who cannot be sent to an address.
std::optional<std::string> ask_instead_of_error(const Exchange& exchange, const Client& client, const mcp::Message& answer);


// --- of addresses that a legacy client was sent to: whom it concerns when the server says that one was visited
void note_visit(const Exchange& exchange, const Client& client, const ServerSpec& server, const std::optional<std::string>& elicitation);
// Those that an error names.
void note_visits(const Exchange& exchange, const Client& client, const ServerSpec& server, const Error& error);

}  // namespace mcptoken::gateway
