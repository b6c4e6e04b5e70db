// What gateways and their models are told in words: texts of the product that an operator may replace. Prompts of those names in
// the project `mcpctl-system` stand in for them; without one the product's own text is used again.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "json/value.h"
#include "store/tx.h"

namespace mcptoken::control {

inline constexpr std::string_view kSystemProject = "mcpctl-system";

using SystemTexts = std::map<std::string, std::string, std::less<>>;

SystemTexts default_texts();
// Those that are replaced.
Result<SystemTexts> replaced_texts(store::Tx& tx);
// A prompt that is about to be written, in wire form. invalid: it belongs to that project and has no name of the table, or
// lacks a variable that the text must have.
Result<void> complete_prompt(json::Value& prompt);

}  // namespace mcptoken::control
