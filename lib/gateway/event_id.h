// Ids of the events of a call's stream, which a legacy client that has lost the stream sends back as Last-Event-ID. Each is
// a ticket that names the stream, the same for all its events, and the event's number. The ticket is bound to the session,
// and with it to token and project; the number is whatever the client says, and is judged where the events are kept.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "gateway/control_plane.h"
#include "gateway/session_id.h"

namespace mcptoken::gateway {

inline constexpr size_t kMaxEventIdBytes = 512;

struct StreamName {
  size_t site = 0;      // that keeps it
  std::string name;     // random: no two are the same, in any process
  std::string request;  // raw JSON id of the call; "" when it is a long one
};

Result<std::string> seal_stream(const Caller& caller, const SessionId& session, const StreamName& stream, int64_t now_wall_ms);
std::string event_id(std::string_view sealed, uint64_t number);

struct EventId {
  StreamName stream;
  uint64_t number = 0;
};
// Status::invalid for what was not given to this session.
Result<EventId> open_event_id(const Caller& caller, const SessionId& session, std::string_view id, int64_t now_wall_ms);

}  // namespace mcptoken::gateway
