// The route of live traffic. What is told is the service's (lib/service/traffic.h): here is who may ask, and for what.
#pragma once

#include <string>

#include "control/handlers.h"

namespace mcptoken::control {

struct TrafficWatch {
  std::string project;  // name; "" for all whose audit record the caller may view
};

// Judges the request; the stream in place of the empty answer is made by the host, for whom the route has this handler.
Result<Response> watch_traffic(Control& control, Context& context);
TrafficWatch traffic_watch(const Request& request);

}  // namespace mcptoken::control
