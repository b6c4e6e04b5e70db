// Language models of the program's own settings, for all projects: a JSON file,
//   [{"baseUrl", "model", "tier"?: "fast" | "heavy", "apiKey"?, "timeoutMs"?, "maxTokens"?}]
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "gateway/control_plane.h"

namespace mcptoken::service {

using ModelList = std::vector<std::shared_ptr<const gateway::LlmSpec>>;

// At most 8. invalid names the entry and its member; io: the file cannot be read.
Result<ModelList> read_models_file(const std::string& path);
Result<ModelList> read_models(std::string_view json);

}  // namespace mcptoken::service
