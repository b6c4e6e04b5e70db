// This machine's loopback addresses: listening on them, and names for them.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "result.h"

namespace mcpctl {

struct Listening {
  int fd = -1;  // the caller's
  uint16_t port = 0;
};
// `host` is 127.0.0.1 or ::1, `port` 0 takes a free one.
Result<Listening> listen_on_loopback(const std::string& host, uint16_t port);

// Whether a Host header names this machine's loopback and the port, or no port.
bool is_loopback_host(std::string_view host, uint16_t port);

}  // namespace mcpctl
