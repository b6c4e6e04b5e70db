// The pipeline cache as REST shows it.
#pragma once

#include <vector>

#include "control/runner.h"
#include "gateway/site.h"

namespace mcptoken::service {

loop::Task<Result<json::Value>> stats_of_cache(gateway::Site& asker, loop::Scope& scope);
loop::Task<Result<std::vector<control::CacheEntry>>> entries_of_cache(gateway::Site& asker, loop::Scope& scope);
loop::Task<Result<int64_t>> clear_the_cache(gateway::Site& asker, std::string project_id, loop::Scope& scope);

}  // namespace mcptoken::service
