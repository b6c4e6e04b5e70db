#include "http/socket_transport.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace mcptoken::http {
namespace {

constexpr size_t kMaxPieces = 16;

Io outcome_of(ssize_t rc) {
  Io io;
  if (rc > 0) {
    io.kind = Io::Kind::done;
    io.bytes = static_cast<size_t>(rc);
  } else if (rc == 0) {
    io.kind = Io::Kind::closed;
  } else {
    io.kind = errno == EAGAIN || errno == EWOULDBLOCK ? Io::Kind::blocked : Io::Kind::failed;
  }
  return io;
}

class SocketTransport final : public WatchedTransport {
 public:
  SocketTransport(loop::Loop& loop, int fd) : WatchedTransport(loop), fd_(fd) {}
  ~SocketTransport() override {
    stop_watching();
    close(fd_);
  }
  Result<void> start() { return watch(fd_); }

  Io read(std::span<char> into) override {
    ssize_t rc;
    do {
      rc = recv(fd_, into.data(), into.size(), MSG_DONTWAIT);
    } while (rc < 0 && errno == EINTR);
    Io io = outcome_of(rc);
    io.drained = io.bytes < into.size();
    return io;
  }

  Io write(std::span<const std::string_view> pieces) override {
    std::array<iovec, kMaxPieces> vectors;
    size_t count = 0;
    for (std::string_view piece : pieces) {
      if (count == kMaxPieces) break;
      if (piece.empty()) continue;
      vectors[count++] = {const_cast<char*>(piece.data()), piece.size()};
    }
    ssize_t rc;
    do {
      rc = send_once(std::span(vectors.data(), count));
    } while (rc < 0 && errno == EINTR);
    return outcome_of(rc);
  }

 private:
  // Not writev: a closed peer raises no SIGPIPE.
  ssize_t send_once(std::span<iovec> vectors) const {
    constexpr int kFlags = MSG_NOSIGNAL | MSG_DONTWAIT;
    if (vectors.size() == 1) return send(fd_, vectors[0].iov_base, vectors[0].iov_len, kFlags);
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = vectors.size();
    return sendmsg(fd_, &message, kFlags);
  }
  int fd_;
};

}  // namespace

Result<void> WatchedTransport::watch(int fd) {
  armed_ = loop::kReadable;
  return watch_.start(fd, armed_, [this](int events) { on_event(events); });
}

void WatchedTransport::want(int events) {
  wanted_ = events;
  // Writability holds nearly always, so it is given up at once; readability only when it fires in vain.
  const int armed = events | (armed_ & loop::kReadable);
  if (armed == armed_) return;
  armed_ = armed;
  watch_.change(armed_);
}

void WatchedTransport::on_event(int events) {
  if (events & loop::kDisconnect)
    armed_ = 0;  // an error: the poller has stopped watching
  else
    events &= wanted_;
  if (events != 0 && wanted_ != 0) {
    listener_->on_ready(events);
  } else if (armed_ != wanted_) {
    armed_ = wanted_;
    watch_.change(armed_);
  }
}

Result<std::unique_ptr<Transport>> make_socket_transport(loop::Loop& loop, int fd) {
  auto transport = std::make_unique<SocketTransport>(loop, fd);
  MCPT_CHECK(transport->start());
  return transport;
}

}  // namespace mcptoken::http
