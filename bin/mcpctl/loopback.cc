#include "loopback.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace mcpctl {

Result<Listening> listen_on_loopback(const std::string& host, uint16_t port) {
  const bool six = host == "::1";
  const int fd = ::socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_storage address{};
  socklen_t size = six ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  if (six) {
    auto& one = reinterpret_cast<sockaddr_in6&>(address);
    one = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback};
  } else {
    auto& one = reinterpret_cast<sockaddr_in&>(address);
    one = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  }
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd, generic, size) != 0 || ::listen(fd, 128) != 0 || ::getsockname(fd, generic, &size) != 0) {
    const int why = errno;
    ::close(fd);
    return Failure{
        kExitFailed, "cannot listen on " + host + " port " + std::to_string(port), std::strerror(why), {}, {}};
  }
  const in_port_t taken =
      six ? reinterpret_cast<sockaddr_in6&>(address).sin6_port : reinterpret_cast<sockaddr_in&>(address).sin_port;
  return Listening{fd, ntohs(taken)};
}

bool is_loopback_host(std::string_view host, uint16_t port) {
  for (const std::string_view name : {"127.0.0.1", "localhost", "[::1]"}) {
    if (host == name || host == std::string(name) + ":" + std::to_string(port)) return true;
  }
  return false;
}

}  // namespace mcpctl
