// What the gateway runs, as the control plane shows it. On the asking node's loop; every loop is asked.
#pragma once

#include <vector>

#include "control/runner.h"
#include "gateway/site.h"

namespace mcptoken::service {

loop::Task<Result<std::vector<control::Instance>>> all_instances(gateway::Site& asker, loop::Scope& scope);
loop::Task<Result<json::Value>> log_of_instance(gateway::Site& asker, control::Instance instance, size_t lines,
                                                loop::Scope& scope);

}  // namespace mcptoken::service
