// Streamable HTTP on loopback: one thread a connection, nothing clever.
#pragma once

#include "server.h"

namespace example {

// Serves for ever; the chosen port goes to stdout as "listening on 127.0.0.1:PORT". Returns when it cannot listen.
int serve_http(Server& server, int port);

}  // namespace example
