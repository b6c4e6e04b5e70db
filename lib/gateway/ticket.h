// What a client is given to hand back: cursors of lists, states of input requests. Sealed with a key that comes from the
// bearer, and bound to token, project and use, so that any process that sees the bearer opens it and nobody else's does.
// The holder of the bearer can make his own: the content is a hint that is judged again.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "gateway/control_plane.h"

namespace mcptoken::gateway {

// `use` says what for, down to what must not change in between ("cursor:tools/list").
Result<std::string> seal_ticket(const Caller& caller, std::string_view use, std::string_view content, int64_t expires_wall_ms);
// Status::invalid for anything that was not given to this caller for this use, or is too old.
Result<std::string> open_ticket(const Caller& caller, std::string_view use, std::string_view ticket, int64_t now_wall_ms);

}  // namespace mcptoken::gateway
