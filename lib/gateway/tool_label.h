// How a tool is called in metrics: the same in all projects, whatever they call it. Meter::tools knows those that their servers
// have listed; what is not there may have been made up.
#pragma once

#include <string>
#include <string_view>

namespace mcptoken::gateway {

inline std::string tool_label(std::string_view server, std::string_view tool) { return std::string(server).append("__").append(tool); }

}  // namespace mcptoken::gateway
