// One connection and the exchange that runs on it: writes the request, reads the answer. Knows nothing of pools or
// retries.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/http1.h"
#include "http/transport.h"
#include "loop/loop.h"

namespace mcptoken::http {

// Read buffers, lent to connections that have bytes to read and taken back when those wait or rest.
class Buffers {
 public:
  static constexpr size_t kBytes = 64 * 1024;  // untouched pages cost nothing
  using Buffer = std::unique_ptr<char[]>;
  Buffer take();
  void give(Buffer buffer);

 private:
  static constexpr size_t kKept = 16;
  std::vector<Buffer> free_;
};

class Connection;

// Told when a resting connection cannot be used any more.
class IdleOwner {
 public:
  virtual void on_idle_end(Connection& connection) = 0;  // destroys it

 protected:
  ~IdleOwner() = default;
};

// Whoever waits for the connection to get on.
class Waiter {
 public:
  virtual void on_progress() = 0;  // may destroy the connection

 protected:
  ~Waiter() = default;
};

// Thread-safety: the loop's thread. Destruction closes the connection.
class Connection final : private Transport::Listener, private loop::Deadlines::Node {
 public:
  Connection(std::unique_ptr<Transport> transport, Buffers& buffers);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Starts an exchange; the request (checked) stays valid until the head is there.
  void begin(const Request& request, const ResponseReader::Caps& caps);
  // True when the head is there, false when it must wait. Errors are final for the connection.
  Result<bool> advance_head();
  // The next piece of the body, valid until the next call; empty at its end, nothing when it must wait.
  Result<std::optional<std::string_view>> advance_body();
  void set_waiter(Waiter* waiter) { waiter_ = waiter; }

  // Closes at once; the head of the answer stays readable.
  void close() { transport_.reset(); }

  const ResponseReader& reader() const { return reader_; }
  bool sent_anything() const { return sent_bytes_ > 0; }
  bool got_anything() const { return got_anything_; }

  // Ends the exchange: true when the connection is as new. Reads what has arrived already, but waits for nothing.
  bool finish();
  // Between exchanges: the owner is told when the other side closes, sends something, or `idle_ms` have passed.
  void rest(IdleOwner& owner, loop::Deadlines& deadlines, int64_t idle_ms);
  void wake();

 private:
  void on_ready(int events) override;
  void on_deadline() override;
  void flush();
  void keep_unsent();
  bool unsent() const { return next_piece_ < pieces_.size(); }
  Io fill();
  void wait_for_events();
  std::string_view received() const { return {buffer_.get() + begin_, end_ - begin_}; }

  std::unique_ptr<Transport> transport_;
  Buffers& buffers_;
  Waiter* waiter_ = nullptr;
  IdleOwner* idle_owner_ = nullptr;

  std::string head_;                      // of the request, and short pieces of its body
  std::vector<std::string_view> pieces_;  // head_ and the borrowed rest of the body
  size_t next_piece_ = 0;
  size_t sent_bytes_ = 0;
  std::string unsent_;  // owned rest of a body whose answer came early
  bool write_failed_ = false;

  ResponseReader reader_;
  Buffers::Buffer buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
  bool drained_ = true;  // nothing to read before the next event
  bool got_anything_ = false;
  int reads_in_a_row_ = 0;
};

}  // namespace mcptoken::http
