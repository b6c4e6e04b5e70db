// Questions of a modern server (2026-07-28, multi round-trip requests), as its client sees them: an answer that is
// `input_required` names them, and the same request is sent again with the answers.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "loop/scope.h"
#include "loop/task.h"
#include "mcp/peer.h"
#include "mcp/rewrite.h"

namespace mcptoken::mcp {

// The string that stands there; "" for another type, and for none.
std::string text_of(const json::Outline& outline, const json::Node* node);

// Whether a client that has declared that much takes such a request of a server.
bool takes_request(uint32_t capabilities, const Message& request);

bool is_input_required(const Message& answer);
// Errors: something is asked for that the client has not declared, or the result is none that we know.
Result<void> check_input_requests(const Message& answer, uint32_t capabilities);

// Asks `events` for all of them side by side, as if the server had sent requests; the params that the request is
// repeated with: inputResponses, and requestState as it came. An elicitation without an answer is a cancelled one; a
// refusal of another kind is an error.
loop::Task<Result<std::vector<ParamEdit>>> answer_input(Events& events, std::shared_ptr<const Message> answer,
                                                        loop::Scope& scope);

}  // namespace mcptoken::mcp
