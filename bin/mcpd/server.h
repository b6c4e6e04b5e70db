// Start here. mcpd is a thin HTTP server around the library's service: it owns sockets, settings and signals, and knows
// nothing of tokens, projects or MCP. From the outside in:
//
//   settings.h     one table of settings; flags, environment, file
//   server.h       start and end of the process: service, listeners, workers, signals
//   supervisor.h   sockets handed over by a process manager, and what it is told
//   worker.h       one thread: loop, libmicrohttpd, accept, deadlines
//   gate.h         which requests are well-formed enough to be looked at
//   exchange.h     one request between libmicrohttpd and the service
//   stream.h       connections that we write ourselves
#pragma once

#include <span>

#include "settings.h"

namespace mcpd {

// Everything from the arguments to the exit code.
int main_program(std::string_view program, std::span<const char* const> arguments, const Environment& environment);

}  // namespace mcpd
