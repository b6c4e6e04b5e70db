// The content stages that a proxy model may name, and the settings of each: data for validation.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "json/value.h"

namespace mcptoken::control {

// The settings of every built-in stage are complete; the message has the path in front. Any other name may be that of a
// stage of the program's own, which check_stages() knows.
Result<void> complete_proxymodel(json::Value& object);
// Every stage of a complete one is built in, or among the `registered`.
Result<void> check_stages(const std::vector<std::string>& registered, const json::Value& proxymodel);
bool is_built_in_stage(std::string_view type);
bool is_stage_name(std::string_view text);                   // a-z 0-9 -, which no built-in one has
Result<json::Value> stage_from_text(std::string_view text);  // "paginate": a stage with its defaults
bool has_exec_stage(const json::Value& proxymodel);          // starts a process
void hide_programs(json::Value& proxymodel);                 // its stages that start one lose their settings

}  // namespace mcptoken::control
