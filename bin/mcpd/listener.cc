#include "listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>

namespace mcpd {
namespace {

constexpr int kBacklog = 4096;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

SocketAddress socket_address_of(const Endpoint& endpoint) {
  SocketAddress out;
  if (endpoint.address.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    std::memcpy(&v4.sin_addr, endpoint.address.bytes.data() + 12, 4);
    std::memcpy(&out.storage, &v4, sizeof v4);
    out.size = sizeof v4;
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(endpoint.port);
    std::memcpy(&v6.sin6_addr, endpoint.address.bytes.data(), 16);
    std::memcpy(&out.storage, &v6, sizeof v6);
    out.size = sizeof v6;
  }
  return out;
}

void enable(int fd, int option) {
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, option, &on, sizeof on);
}

Failure failure_of(const Endpoint& endpoint, int error) {
  const std::string why = error == EADDRINUSE ? "address in use; is another mcpd running?" : std::strerror(error);
  return {kExitFailure, "cannot listen on " + endpoint.text() + ": " + why};
}

Outcome<int> open_listener(const Endpoint& endpoint, bool share) {
  const auto address = socket_address_of(endpoint);
  const int fd = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return failure_of(endpoint, errno);
  enable(fd, SO_REUSEADDR);
  if (share) enable(fd, SO_REUSEPORT);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.size) != 0 ||
      ::listen(fd, kBacklog) != 0) {
    const int error = errno;
    ::close(fd);
    return failure_of(endpoint, error);
  }
  return fd;
}

Endpoint endpoint_of(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size);
  uint16_t port = 0;  // at the same place in both families
  std::memcpy(&port, reinterpret_cast<const char*>(&storage) + offsetof(sockaddr_in, sin_port), sizeof port);
  return {address_of(storage), ntohs(port)};
}

}  // namespace

Outcome<Listeners> open_listeners(const Endpoint& endpoint, size_t count) {
  Listeners listeners{{}, endpoint};
  for (size_t i = 0; i < count; ++i) {
    // Only a socket that does not share its port fails on a port in use. Once it listens it may share: later sockets of
    // this process join it, and another server's first one, which does not share, still fails.
    auto fd = open_listener(listeners.endpoint, i > 0);
    if (!fd) {
      for (int open : listeners.fds)
        ::close(open);
      return fd.failure();
    }
    listeners.fds.push_back(*fd);
    if (i > 0) continue;
    enable(*fd, SO_REUSEPORT);
    listeners.endpoint.port = endpoint_of(*fd).port;
  }
  return listeners;
}

Outcome<Listeners> share_listener(int fd, size_t count) {
  Listeners listeners{{fd}, endpoint_of(fd)};
  while (listeners.fds.size() < count) {
    const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0) return failure_of(listeners.endpoint, errno);
    listeners.fds.push_back(copy);
  }
  return listeners;
}

Outcome<bool> write_port_file(const std::string& path, uint16_t port) {
  const std::string temporary = path + ".new";
  const std::string text = std::to_string(port) + "\n";
  const auto failed = [&]() -> Failure {
    const int error = errno;
    ::unlink(temporary.c_str());
    return {kExitFailure, "cannot write " + path + ": " + std::strerror(error)};
  };
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return failed();
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (::close(fd) != 0 || !written || ::rename(temporary.c_str(), path.c_str()) != 0) return failed();
  return true;
}

}  // namespace mcpd
