// The framing gate: what a request must look like before anything acts on it. libmicrohttpd accepts much that RFC 9112
// forbids (two lengths, a length beside chunks, names that are no tokens, encoded slashes); another server in front
// could read such a message differently and let a second request hide in the first. A refusal always closes the
// connection.
//
// Pure: no I/O, no allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace mcpd {

inline constexpr size_t kTargetBytes = 4 * 1024;
// Request line and fields. With a record of each of so many fields this is what libmicrohttpd has room for: see input.h.
inline constexpr size_t kHeaderBytes = 12'000;
inline constexpr size_t kHeaderFields = 64;
// More than the service takes for any request; what it takes for this one it judges by itself.
inline constexpr int64_t kBodyBytes = 33 * 1024 * 1024;

struct Field {
  std::string_view name;
  std::string_view value;
};

struct RequestHead {
  std::string_view method;
  std::string_view target;   // as on the wire
  std::string_view version;  // "HTTP/1.1"
  std::span<const Field> fields;
};

struct Refusal {
  int status = 400;
  const char* reason = "";  // one line for people, static text
};

inline constexpr Refusal kBodyTooLarge{413, "the body is larger than 33 MiB"};

// How the body is delimited, known once the head has passed.
struct Framing {
  int64_t content_length = 0;  // -1: chunked
  bool http10 = false;
  bool asks_leave = false;  // to send its body: Expect: 100-continue

  bool announces_body() const { return content_length != 0; }
};

// Fills `framing` when the head passes.
std::optional<Refusal> judge(const RequestHead& head, Framing& framing);

// Value of the Allow field that goes with a 405.
inline constexpr std::string_view kAllowedMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

// Of a field name: RFC 9110's token without the underscore.
bool is_name_byte(char c);
int hex_value(char c);  // -1: no digit

bool same_ignoring_case(const char* a, const char* b, size_t size);
inline bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && same_ignoring_case(a.data(), b.data(), a.size());  // most differ in length already
}

}  // namespace mcpd
