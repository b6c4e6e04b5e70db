// What the process itself counts, in the Prometheus text format: its connections, and what the kernel knows of it.
#pragma once

#include <string>

#include "access_log.h"
#include "connection.h"

namespace mcpd {

// `access_log`: null when there is none.
std::string process_metrics(const ConnectionCensus& census, const AccessLog* access_log);

}  // namespace mcpd
