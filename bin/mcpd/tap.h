// What libmicrohttpd reads from a socket, seen before it is parsed. libmicrohttpd 0.9 forgives bare line feeds in chunk
// framing and anything in a trailer, and tells nobody what it has read; nor does it let anybody read for it. So the program
// has its own recv(), which the linker puts before the C library's for all that is loaded with it.
// See docs/adr/0027-tap.md.
#pragma once

#include <cstddef>
#include <sys/types.h>

namespace mcpd {

class Tap {
 public:
  // Of the thread that has installed it: recv(fd, to, room) has returned `got`, which may be 0 or -1. False: libmicrohttpd
  // is to take the connection for broken, and sees none of it. After -1 it leaves errno alone.
  virtual bool on_input(int fd, char* to, size_t room, ssize_t got) noexcept = 0;

 protected:
  ~Tap() = default;
};

// While it lives, what this thread receives passes through the tap.
class Tapping {
 public:
  explicit Tapping(Tap& tap);
  ~Tapping();
  Tapping(const Tapping&) = delete;
  Tapping& operator=(const Tapping&) = delete;
};

}  // namespace mcpd
