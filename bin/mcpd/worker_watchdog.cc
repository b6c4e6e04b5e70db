// Clients that take their time: with a head, with a body, or with taking an answer.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <utility>

#include "worker.h"

namespace mcpd {
namespace {

constexpr int64_t kSlowBodyAfterMs = 5'000;  // from then on a body must have come at kSlowBodyBytesPerSecond
constexpr int64_t kSlowBodyBytesPerSecond = 1024;  // and an answer must go as fast
constexpr int kStuckBytes = 1024;  // that no turn has read between two looks

}  // namespace

// libmicrohttpd's timeout counts from the last byte, so a client that drips would hold on for ever. Shutting the socket
// down makes it see the end.
void Worker::expire(Connection& connection, int64_t now) {
  if (connection.phase == Phase::sending) return look_at_reader(connection, now);
  if (connection.phase == Phase::answer || connection.deadline_ms == 0) return;
  if (connection.phase == Phase::body && is_stuck(connection)) {
    connection.deadline_ms = 0;
    options_.census->note_malformed();
    refuse(connection, 400, "the head, or the first line of a chunk, is too long");
    // It reads no end either, and would turn on what it cannot read until its own timeout: that one it does heed.
    MHD_set_connection_option(connection.request, MHD_CONNECTION_OPTION_TIMEOUT, 1U);
    return;
  }
  bool late = connection.deadline_ms <= now;
  if (connection.phase == Phase::body) {
    const int64_t since_ms = now - connection.body_since_ms;
    late |= since_ms >= kSlowBodyAfterMs &&
            connection.body_bytes < static_cast<uint64_t>(since_ms * kSlowBodyBytesPerSecond / 1000);
  }
  if (!late) return;
  connection.deadline_ms = 0;
  const bool in_body = connection.phase == Phase::body;
  if (in_body || (connection.phase == Phase::head && connection.input.is_heard)) {
    refuse(connection, 408, in_body ? "the body did not come in time" : "the head did not come in time");
    ::shutdown(connection.fd, SHUT_RD);
  } else {
    ::shutdown(connection.fd, SHUT_RDWR);
  }
}

// An answer is in memory until the client has taken it, and may be large; libmicrohttpd is content with any byte.
void Worker::look_at_reader(Connection& connection, int64_t now) const {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(connection.fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return;
  const int64_t since_ms = now - connection.looked_ms;
  if (connection.looked_ms != 0 && since_ms < options_.body_ms) return;
  const uint64_t taken = info.tcpi_bytes_acked - std::exchange(connection.taken_bytes, info.tcpi_bytes_acked);
  if (std::exchange(connection.looked_ms, now) == 0) return;
  if (taken < static_cast<uint64_t>(since_ms * kSlowBodyBytesPerSecond / 1000)) ::shutdown(connection.fd, SHUT_RDWR);
}

// The first line of a chunk that does not fit into libmicrohttpd's buffer is neither read on nor refused: what follows stays
// where it is, turn after turn.
bool Worker::is_stuck(Connection& connection) {
  int unread = 0;
  const bool stands = std::exchange(connection.body_bytes_seen, connection.body_bytes) == connection.body_bytes;
  const int least = connection.body_bytes == 0 ? 1 : kStuckBytes;  // the head alone may fill the buffer
  const bool suspect = stands && ::ioctl(connection.fd, FIONREAD, &unread) == 0 && unread >= least;
  return std::exchange(connection.is_suspect, suspect) && suspect;
}

}  // namespace mcpd
