// What a process manager hands over and is told, without its library: sd_listen_fds(3) and sd_notify(3) are a variable
// each.
#pragma once

#include <string>
#include <string_view>

#include "outcome.h"
#include "settings.h"

namespace mcpd {

// The listening TCP socket that was opened for this process (LISTEN_PID, LISTEN_FDS), without waiting and closed in
// children; -1: none was. A failure when there are several, or it is none that we can serve.
Outcome<int> inherited_listener(const Environment& environment);

// Sends a state like "READY=1" to $NOTIFY_SOCKET; nothing without it. What cannot be sent is not our trouble.
void notify(const Environment& environment, std::string_view state);

}  // namespace mcpd
