// Transports on a socket: what all of them share, and the one for plain http.
#pragma once

#include "http/transport.h"
#include "loop/loop.h"

namespace mcptoken::http {

// Invariant: the watch follows want() lazily. Readiness for reading stays watched between reads and is given up when it
// fires while nobody wants it, so that a call on a kept connection changes nothing in the poller.
class WatchedTransport : public Transport {
 public:
  void listen(Listener* listener) final { listener_ = listener; }
  void want(int events) override;
  void expect() override { watch_.expect(); }

 protected:
  explicit WatchedTransport(loop::Loop& loop) : watch_(loop) {}
  Result<void> watch(int fd);
  void stop_watching() { watch_.stop(); }
  void on_event(int events);
  Listener* listener_ = nullptr;

 private:
  loop::Watch watch_;
  int wanted_ = 0;
  int armed_ = 0;
};

// Takes over a connected, non-blocking socket, also when it fails.
Result<std::unique_ptr<Transport>> make_socket_transport(loop::Loop& loop, int fd);

}  // namespace mcptoken::http
