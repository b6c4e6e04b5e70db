// Arguments of tools that travel as Mcp-Param-* headers, too (2026-07-28, Streamable HTTP): compared with what the client
// sends, made anew for the server.
#pragma once

#include <string>
#include <vector>

#include "gateway/endpoint.h"
#include "gateway/view.h"

namespace mcptoken::gateway {

// What is known of a tool before it is called.
struct ToolFacts {
  std::string hidden;  // why it cannot be called, "" when it can
  std::shared_ptr<const mcp::ParamHeaders> marks;  // null: none, or there is no list to know them from
  std::vector<http::Header> headers;               // that the call's arguments make of them
};
// From the list that is there, if one is: for calls that do not depend on it.
ToolFacts facts_at_hand(const Exchange& exchange, const Client& client, const Target& target,
                        const mcp::Message& message);
// Waits for the server's list: for calls that depend on it, because the server is pinned or expects other headers.
loop::Task<Result<ToolFacts>> look_at_tool(const Exchange& exchange, const Client& client, const Target& target,
                                           MessagePtr message, loop::Scope& scope);
// Header mismatch unless a modern client's request says in its headers what it says in its arguments.
Result<void> check_param_headers(const HttpRequest& request, const ToolFacts& tool);
// Whether the server has refused the call because it expects other headers: it has not run it then.
bool wants_other_headers(const mcp::Message& answer);

}  // namespace mcptoken::gateway
