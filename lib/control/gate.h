// Open gates, one for each token: what the gateway wants to know again after a restart, on another loop or elsewhere. A token
// has one project, so the token names both. Goes with the token's record.
#pragma once

#include <string>

#include "base/result.h"
#include "json/value.h"
#include "store/tx.h"

namespace mcptoken::control {

// {"untilMs","tags":[…],"given":[…]}; {} when nothing is known.
Result<json::Value> load_gate(store::Tx& tx, const std::string& token_id);
// invalid: not of that form, or too much. A gate is open for a day at most.
Result<void> save_gate(store::Tx& tx, const std::string& token_id, const json::Value& state);

}  // namespace mcptoken::control
