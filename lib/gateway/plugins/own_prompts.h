// The project's own prompts: as MCP prompts, in prompts/list in front of those of its servers and in prompts/get, and as
// the gate hands them out. They go through the project's pipeline like those of servers. Their names hold no separator,
// so they lead to no server.
#pragma once

#include "gateway/endpoint.h"
#include "gateway/plugins/prompts.h"

namespace mcptoken::gateway {

// Entries of a list as raw JSON with commas between them.
std::string prompt_items(const ProjectView& project, const Prompts& prompts);
// Whether the name may be one of them: a look at the name alone, before anybody is asked.
bool may_be_own_prompt(const ProjectView& project, std::string_view name);
// Answers with the prompt of that name; false when there is none that the caller may view.
loop::Task<Result<bool>> serve_own_prompt(Exchange& exchange, const Client& client, MessagePtr message,
                                          std::string name, Answer& answer);
// What the gate is about to hand out gets what its links lead to, and goes through the stages that make no sections,
// since there is no way to ask for more of it. What does not fit the budget any more goes to the index.
loop::Task<Result<void>> prepare_prompts(Exchange& exchange, const Client& client, Selection& selection,
                                         loop::Scope& scope);

}  // namespace mcptoken::gateway
