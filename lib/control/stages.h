// The content stages that a proxy model may name, and the settings of each: data for validation.
#pragma once

#include "base/result.h"
#include "json/value.h"

namespace mcptoken::control {

// Every stage is known and its settings are complete; the message has the path in front.
Result<void> complete_proxymodel(json::Value& object);
Result<json::Value> stage_from_text(std::string_view text);  // "paginate": a stage with its defaults
bool has_exec_stage(const json::Value& proxymodel);          // starts a process
void hide_programs(json::Value& proxymodel);                 // its stages that start one lose their settings

}  // namespace mcptoken::control
