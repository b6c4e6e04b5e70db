// A connection taken over from libmicrohttpd: a duplicate of its socket, our own framing, our own bounded buffer. It
// carries streams (an idle one costs a few hundred bytes, and its client's end is noticed at once) and the answers that
// end a connection before its request has been read: those linger until the client has taken the answer, because
// closing a socket with unread input makes the kernel drop what was sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <mcptoken/loop.h>

#include "connection.h"
#include "list.h"

namespace mcpd {

// Where the service's stream goes.
class StreamSink {
 public:
  virtual ~StreamSink() = default;
  // The number of bytes that wait in the buffer.
  virtual size_t write(std::string_view data) = 0;
  // ok: the stream is complete. Otherwise the connection is cut, so that the client sees that something is missing.
  virtual void end(bool ok) = 0;
};

// Who fills the stream. Never called during a call of the sink.
class StreamSource {
 public:
  virtual ~StreamSource() = default;
  virtual void stream_taken() = 0;  // some of what waited in the buffer, or all of it
  virtual void stream_lost() = 0;  // the client has gone; the sink is gone too
};

struct Open;     // list: all streams of a loop
struct Closing;  // list: those that have a deadline

class Stream;
struct StreamLists {
  List<Stream, Open> open;
  List<Stream, Closing> closing;
  size_t ended = 0;  // since somebody asked last
};

class Stream final : public StreamSink, public Link<Open>, public Link<Closing> {
 public:
  // Takes the connection over: duplicates the descriptor and sends `head`. NULL when that is impossible (no descriptor
  // is left). With a source, `chunked` says how writes are framed. Without one, the stream is ended at once.
  static Stream* take_over(mcptoken_loop* loop, StreamLists& lists, Connection& connection, std::string_view head,
                           bool chunked, StreamSource* source);
  ~Stream() override;

  size_t write(std::string_view data) override;
  void end(bool ok) override;
  void forget_source() { source_ = nullptr; }
  // For the watchdog: the time after which a closing stream is cut.
  int64_t deadline_ms() const { return deadline_ms_; }
  bool flushed() const { return state_ == State::lingering; }

 private:
  enum class State : uint8_t { open, ending, lingering, broken };

  Stream(mcptoken_loop* loop, StreamLists& lists, Connection& connection, int fd, bool chunked, StreamSource* source);
  static void on_events(void* self, int32_t events) noexcept;
  void handle(int32_t events);
  void send_all(const std::string_view* pieces, size_t count);
  bool flush();
  void break_off();
  bool discard_input();
  void linger();
  void watch_for(int32_t events);

  mcptoken_loop* loop_;
  StreamLists& lists_;
  Connection& connection_;
  StreamSource* source_;
  mcptoken_watch* watch_ = nullptr;
  const int fd_;
  int32_t watched_ = 0;
  State state_ = State::open;
  const bool chunked_;
  uint32_t discarded_ = 0;
  size_t sent_ = 0;  // bytes of out_ that have gone
  int64_t deadline_ms_ = 0;
  std::string out_;
};

}  // namespace mcpd
