// The route that hands out the audit record as a whole.
#pragma once

#include "control/control.h"

namespace mcptoken::control {

// ?after=SEQ&limit=N: {"items": events with their "link", oldest first, "next": what `after` is to be for more,
// "head"}. Needs the operation and, since no operation opens a resource, view of all of the record.
Result<Response> export_audit(Control& control, Context& context);

}  // namespace mcptoken::control
