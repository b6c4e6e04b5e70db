// HTTP/1.1 messages as bytes (RFC 9112), both ways and pure: no sockets, no time. The reader is strict where leniency
// would let two readers disagree about where a message ends.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/result.h"
#include "http/url.h"

namespace mcptoken::http {

struct Header {
  std::string name;
  std::string value;
};

// What is sent. Everything is borrowed and must stay valid until the answer's head is there. Host, Content-Length and
// the other headers of the connection are ours: giving them is an error.
struct Request {
  std::string_view method = "GET";
  const Url* url = nullptr;
  std::span<const Header> headers;
  std::span<const std::string_view> body;  // pieces, sent one after the other without being joined
  // What write_request_start() has made of the same method, URL and checked headers before; "": it is made now.
  std::string_view start;
};

// Status::invalid: a method or header name that is no token, a value with control characters (CR, LF, NUL, ...), or a
// header that belongs to the connection.
Result<void> check_request(const Request& request);

// Replaces `out` by the request line and headers of a request that has been checked, or by all of them that do not depend on
// its body.
void write_request_head(const Request& request, std::string& out);
void write_request_start(const Request& request, std::string& out);

// One header of an answer, as sent but without the space around the value. The views live as long as the answer's head.
struct Field {
  std::string_view name;
  std::string_view value;
};

struct Response {
  int status = 0;
  std::vector<Field> headers;

  // The first header of that name in any case, nullptr when there is none.
  const std::string_view* find(std::string_view name) const;
  // The media type in front of any parameters is `type` (lower case).
  bool has_content_type(std::string_view type) const;
};

// Reads one answer after the other from bytes that arrive in any pieces; the result does not depend on the cuts.
// Every error is Status::protocol and final until start(). Refused: anything but HTTP/1.0 and 1.1, LF or CR alone,
// folded headers, control characters, repeated or bad Content-Length, Transfer-Encoding other than "chunked" or next to
// Content-Length or in HTTP/1.0, 101, bad chunks, and what exceeds the caps. Interim answers (1xx) are skipped.
// Thread-safety: none, one owner.
class ResponseReader {
 public:
  struct Caps {
    Caps() {}
    size_t head_bytes = limits::kUpstreamHeaderBytes;  // with the interim answers before it; trailers count anew
    size_t body_bytes = limits::kUpstreamBodyBytes;    // not for text/event-stream, whose events are bounded instead
  };

  void start(bool is_head_request, const Caps& caps = Caps());

  // Consumes bytes of the head; returns how many. Fewer than given only when the head is done.
  Result<size_t> read_head(std::string_view bytes);
  bool head_done() const { return state_ != State::head; }

  struct Piece {
    size_t used = 0;        // bytes consumed, framing included
    std::string_view data;  // inside the consumed bytes; empty when they were framing
  };
  // Consumes bytes of the body up to the end of the next piece of data.
  Result<Piece> read_body(std::string_view bytes);
  bool complete() const { return state_ == State::done; }

  // The connection has ended. An error unless the answer is complete or was to last until then.
  Result<void> end_of_input();

  const Response& response() const { return response_; }
  int64_t content_length() const { return content_length_; }  // -1: not given
  // Both sides may send the next request on this connection (once the answer is complete).
  bool keeps_alive() const { return keep_alive_; }
  // How long the server says it keeps an unused connection; -1: it does not say.
  int64_t keep_alive_ms() const { return keep_alive_ms_; }

 private:
  enum class State : uint8_t {
    head,
    length,
    until_close,
    chunk_first,
    chunk_size,
    chunk_extension,
    chunk_lf,
    chunk_data,
    chunk_end_cr,
    chunk_end_lf,
    trailer_start,
    trailer_line,
    trailer_lf,
    last_lf,
    done,
  };
  Result<size_t> gather_head(std::string_view bytes);
  Result<void> parse_head();
  Result<void> parse_status_line(std::string_view line);
  Result<void> parse_field(std::string_view line);
  Result<void> take_framing_field(const Field& field);
  void take_connection_options(std::string_view value);
  Result<void> choose_framing();
  Result<void> chunk_byte(char c);
  Result<void> chunk_size_byte(char c);
  Result<void> start_chunk();
  Result<void> count_framing(char c);
  Piece take_data(std::string_view bytes);

  State state_ = State::head;
  bool is_head_request_ = false;
  bool http_1_0_ = false;
  bool chunked_ = false;
  bool says_close_ = false;
  bool says_keep_alive_ = false;
  bool keep_alive_ = false;
  Caps caps_;
  size_t head_left_ = 0;
  size_t body_left_ = 0;    // of the cap
  uint64_t data_left_ = 0;  // of the body or the chunk
  int chunk_digits_ = 0;
  size_t framing_left_ = 0;  // of a chunk's extension, or of all trailers
  int64_t content_length_ = -1;
  int64_t keep_alive_ms_ = -1;
  std::string raw_;  // the head; response_ points into it
  Response response_;
};

}  // namespace mcptoken::http
