// The project's own prompts as MCP prompts: in prompts/list in front of those of its servers, and in prompts/get. Their
// names hold no separator, so they lead to no server.
#pragma once

#include "gateway/endpoint.h"
#include "gateway/plugins/prompts.h"

namespace mcptoken::gateway {

// Entries of a list as raw JSON with commas between them.
std::string prompt_items(const Prompts& prompts);
// Whether the name may be one of them: a look at the name alone, before anybody is asked.
bool may_be_own_prompt(const ProjectView& project, std::string_view name);
// Answers with the prompt of that name; false when there is none that the caller may view.
loop::Task<Result<bool>> serve_own_prompt(Exchange& exchange, const Client& client, MessagePtr message,
                                          std::string name, Answer& answer);

}  // namespace mcptoken::gateway
