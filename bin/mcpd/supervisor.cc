#include "supervisor.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>

namespace mcpd {
namespace {

constexpr int kFirstFd = 3;  // SD_LISTEN_FDS_START

std::string_view value_of(const Environment& environment, const char* name) {
  const auto found = environment.find(name);
  return found == environment.end() ? std::string_view() : std::string_view(found->second);
}

int option_of(int fd, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

}  // namespace

Outcome<int> inherited_listener(const Environment& environment) {
  // Both are inherited further on; the number tells whether they are about this process.
  if (value_of(environment, "LISTEN_PID") != std::to_string(::getpid())) return -1;
  const auto count = value_of(environment, "LISTEN_FDS");
  if (count.empty() || count == "0") return -1;
  if (count != "1")
    return Failure{kExitUsage, "LISTEN_FDS=" + std::string(count) + ": mcpd takes one listening socket"};
  const int domain = option_of(kFirstFd, SO_DOMAIN);
  if (option_of(kFirstFd, SO_ACCEPTCONN) != 1 || option_of(kFirstFd, SO_TYPE) != SOCK_STREAM ||
      (domain != AF_INET && domain != AF_INET6)) {
    return Failure{kExitUsage,
                   "the socket that was handed over is no listening TCP socket: ListenStream= ADDRESS:PORT?"};
  }
  ::fcntl(kFirstFd, F_SETFD, FD_CLOEXEC);
  ::fcntl(kFirstFd, F_SETFL, ::fcntl(kFirstFd, F_GETFL) | O_NONBLOCK);
  return kFirstFd;
}

void notify(const Environment& environment, std::string_view state) {
  const auto path = value_of(environment, "NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() < 2 || path.size() >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@')) return;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path[0] == '@') address.sun_path[0] = 0;  // an abstract name
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  ::sendto(fd, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address),
           static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size()));
  ::close(fd);
}

}  // namespace mcpd
