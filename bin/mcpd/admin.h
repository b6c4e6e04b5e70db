// What an operator does on the server's machine while mcpd does not run.
#pragma once

#include <span>

#include "settings.h"

namespace mcpd {

// `arguments` behind "admin"; the exit code.
int admin_program(std::span<const char* const> arguments, const Environment& environment);

}  // namespace mcpd
