// The plugin `gate`: before a client sees the project's tools, it says what it is about, and is given the prompts that
// fit. Also `read_prompts` and `propose_prompt`, which it has afterwards.
//
// Invariants:
//  1. A gated list of tools is exactly begin_session. Every text about it says what the schema says, and names no
//  parameter.
//  2. The gate is open for a token and project, not for a session: clients without sessions, those that lose theirs,
//  other
//     loops, restarts and other gateways find it open. Who was answered that it is open finds it open everywhere.
//  3. Calling a tool opens it, too: nobody is ever stuck.
#pragma once

#include <string>
#include <string_view>

#include "gateway/endpoint.h"
#include "gateway/plugins/prompts.h"
#include "json/edit.h"

namespace mcptoken::gateway {

// Whether there is a gate for the caller: it takes a model that has one, and a tool that he may call.
bool is_gated_project(const Exchange& exchange);

// --- initialize, server/discover
std::string instructions_of(const ProjectView& project);  // the project's own, and what the gate adds

// --- tools/list
// Whether it is open for the caller. From what this loop knows, else by asking the control plane.
loop::Task<Result<bool>> is_open(Exchange& exchange, loop::Scope& scope);
// Definitions as raw JSON with commas between them: of a closed gate, or of an open one (behind the project's own).
// `asks_model`: then a description is wanted in place of tags.
std::string gate_tools(bool asks_model, bool open);

// --- tools/call
enum class GateTool : uint8_t { begin_session, read_prompts, propose_prompt };
const GateTool* find_gate_tool(std::string_view name);
loop::Task<Result<void>> serve_gate_tool(Exchange& exchange, Client& client, MessagePtr message, GateTool tool,
                                         Answer& answer);
// A call of a real tool. Opens a closed gate; then the text that goes before the result, else "".
loop::Task<Result<std::string>> pass_gate(Exchange& exchange, const Client& client, MessagePtr message,
                                          std::string tool, loop::Scope& scope);
// The edit that puts it there.
std::vector<json::Edit> prepend_text(const mcp::Message& answer, std::string_view text);

}  // namespace mcptoken::gateway
