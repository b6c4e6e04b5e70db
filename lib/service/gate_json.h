// The state of a gate between its two forms: that of the gateway and that of the control plane (control/gate.h).
#pragma once

#include "gateway/plugins/gate_state.h"
#include "json/value.h"

namespace mcptoken::service {

gateway::GateState read_gate(const json::Value& state);
json::Value write_gate(const gateway::GateState& state);

}  // namespace mcptoken::service
