// A descriptor that closes itself.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace mcptoken::loop {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~Fd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void reset(int fd = -1) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }
  // Moves it above 2 when the host has closed its own 0, 1 or 2: those belong to whatever the host, or a child before
  // its exec, puts there. False (errno) when there is no descriptor left; it stays where it was then.
  bool lift() {
    if (fd_ < 0 || fd_ > 2) return true;
    int moved = fcntl(fd_, F_DUPFD_CLOEXEC, 3);
    if (moved >= 0) reset(moved);
    return moved >= 0;
  }

 private:
  int fd_ = -1;
};

}  // namespace mcptoken::loop
