// Listening sockets: one a loop on the same address, and yet a second server on that address is refused.
#pragma once

#include <string>
#include <vector>

#include "address.h"
#include "outcome.h"

namespace mcpd {

struct Listeners {
  std::vector<int> fds;  // owned by whoever takes them
  Endpoint endpoint;     // with the port that was taken
};

Outcome<Listeners> open_listeners(const Endpoint& endpoint, size_t count);
// The same from one listening socket that somebody else has opened, and that all loops share.
Outcome<Listeners> share_listener(int fd, size_t count);
// Writes the port and a line end under another name and renames, so that a reader never sees half of it.
Outcome<bool> write_port_file(const std::string& path, uint16_t port);

}  // namespace mcpd
