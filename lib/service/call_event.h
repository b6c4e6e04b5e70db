// A call, as the gateway tells of it, as an event of the audit record.
#pragma once

#include "audit/event.h"
#include "gateway/control_plane.h"

namespace mcptoken::service {

audit::Event event_of(gateway::CallRecord&& record);

}  // namespace mcptoken::service
