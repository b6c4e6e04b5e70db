// The seam between the client and the network: a transport is an established connection, a dialer makes one. The client
// knows nothing below this; tests put scripted ones in its place.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "base/function.h"
#include "base/result.h"
#include "http/url.h"

namespace mcptoken::http {

// The outcome of one attempt to read or write.
struct Io {
  enum class Kind : uint8_t { done, blocked, closed, failed };
  Kind kind = Kind::blocked;
  size_t bytes = 0;      // when done; at least 1
  bool drained = false;  // a read that is known to have left nothing behind
};

// A connection in both directions that never blocks. Destruction closes it at once. Thread-safety: its loop's thread.
class Transport {
 public:
  class Listener {
   public:
    // `events` are loop::Events, after an error all of them. May destroy the transport.
    virtual void on_ready(int events) = 0;

   protected:
    ~Listener() = default;
  };

  virtual ~Transport() = default;
  virtual Io read(std::span<char> into) = 0;
  // Writes from the front of the pieces. After `blocked` the next call must begin with the same bytes.
  virtual Io write(std::span<const std::string_view> pieces) = 0;
  virtual void listen(Listener* listener) = 0;
  // What the listener waits for from now on, readiness that holds already included. Never calls it directly. 0:
  // nothing.
  virtual void want(int events) = 0;
  // The answer to what was written is what this loop waits for next.
  virtual void expect() {}
};

// An attempt to connect. Destruction abandons it without blocking.
class Dial {
 public:
  virtual ~Dial() = default;
};

struct Endpoint {
  const Url* url = nullptr;  // must outlive the attempt
  int64_t connect_ms = 0;    // so that a dead address leaves time for the next one; the client keeps the deadline
  bool allow_private = false;
  std::string_view ca_file;  // of the only accepted authorities; empty: the system's
};

class Dialer {
 public:
  using Done = Function<void(Result<std::unique_ptr<Transport>>)>;
  virtual ~Dialer() = default;
  // `done` is called once, never inside dial(), and may destroy the attempt.
  virtual Result<std::unique_ptr<Dial>> dial(const Endpoint& endpoint, Done done) = 0;
};

}  // namespace mcptoken::http
