// Whether an mcpd answers: for health checks of containers that have no other program.
#pragma once

#include <span>

#include "settings.h"

namespace mcpd {

// `arguments` behind "health"; the exit code: 0 when it answers well. It asks the server that the settings describe, of
// the gateway role when they name its control plane.
int health_program(Role role, std::span<const char* const> arguments, const Environment& environment);

}  // namespace mcpd
