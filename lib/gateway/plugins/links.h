// Prompts as the caller may see them, and the resources that some of them follow.
#pragma once

#include "gateway/endpoint.h"
#include "gateway/plugins/prompts.h"

namespace mcptoken::gateway {

// Of the caller's project, those that he may view.
loop::Task<Result<PromptsPtr>> visible_prompts(Exchange& exchange, loop::Scope& scope);
// The same prompts, with what a linked one follows in place of its own content. A link that cannot be read leaves the
// prompt as it was written.
loop::Task<Result<Prompts>> follow_links(Exchange& exchange, const Client& client, Prompts prompts, loop::Scope& scope);

}  // namespace mcptoken::gateway
