// What the program is and has, as its status shows it: language models and whether they can be reached, stages,
// programs.
#pragma once

#include <vector>

#include "control/runner.h"
#include "gateway/plugins/outside.h"
#include "gateway/site.h"

namespace mcptoken::service {

enum class Details : uint8_t { hidden, shown };  // of models: names, and why one is not reachable
loop::Task<Result<json::Value>> status_of_models(gateway::Site& asker, std::vector<gateway::ModelOwner> projects,
                                                 Details details, loop::Scope& scope);
// {"role","version","llm","execStages","ownStages"}; "llm" is "off" when there is no model.
json::Value status_of(const gateway::Gateway& gateway, bool is_gateway, json::Value models);

}  // namespace mcptoken::service
