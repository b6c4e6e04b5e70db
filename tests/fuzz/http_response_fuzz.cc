// An HTTP answer from hostile bytes: the reader must come to the same result however the bytes are cut, deliver nothing
// beyond its caps, and never read outside of what it was given.
// Input: one byte of options, one byte that says how to cut, then the bytes on the wire.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "http/http1.h"

using namespace mcptoken;
using namespace mcptoken::http;

namespace {

struct Outcome {
  int error = 0;
  int status = 0;
  bool keeps_alive = false;
  size_t used = 0;
  std::string headers;
  std::string body;
  bool operator==(const Outcome&) const = default;
};

void require(bool condition) {
  if (!condition) std::abort();
}

// Cuts of 1 to `most` bytes, from a small generator; 0: everything at once.
Outcome read(std::string_view stream, bool is_head, const ResponseReader::Caps& caps, uint32_t most) {
  ResponseReader reader;
  reader.start(is_head, caps);
  Outcome out;
  uint32_t state = most * 2654435761u + 1;
  const auto error = [](const Error& e) {
    Outcome only;
    only.error = static_cast<int>(e.status);
    require(e.status == Status::protocol || e.status == Status::network);
    return only;
  };
  while (out.used < stream.size() && !reader.complete()) {
    state = state * 1664525u + 1013904223u;
    const size_t step = most == 0 ? stream.size() : 1 + (state >> 16) % most;
    const std::string_view part = stream.substr(out.used, step);
    const auto copy = std::make_unique<char[]>(part.size());  // exact bounds for a sanitizer
    part.copy(copy.get(), part.size());
    std::string_view piece(copy.get(), part.size());
    if (!reader.head_done()) {
      const auto used = reader.read_head(piece);
      if (!used) return error(used.error());
      require(*used == piece.size() || reader.head_done());
      out.used += *used;
      piece.remove_prefix(*used);
    }
    while (!piece.empty() && reader.head_done() && !reader.complete()) {
      const auto got = reader.read_body(piece);
      if (!got) return error(got.error());
      require(got->used > 0 && got->used <= piece.size());
      out.body += got->data;
      out.used += got->used;
      piece.remove_prefix(got->used);
    }
  }
  if (const auto end = reader.end_of_input(); !end) return error(end.error());
  const Response& response = reader.response();
  out.status = response.status;
  out.keeps_alive = reader.keeps_alive();
  require(out.status >= 200 && out.status <= 599);
  require(response.headers.size() <= limits::kUpstreamHeaderFields);
  for (const Field& field : response.headers) {
    out.headers.append(field.name).append("=").append(field.value).append("\n");
    require(field.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
  }
  require(out.headers.size() <= caps.head_bytes + 2 * response.headers.size());
  require(out.body.size() <= caps.body_bytes || response.has_content_type("text/event-stream"));
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  ResponseReader::Caps caps;
  if (data[0] & 2) caps.head_bytes = 200;
  if (data[0] & 4) caps.body_bytes = 100;
  const bool is_head = (data[0] & 1) != 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 2, size - 2);
  const Outcome whole = read(stream, is_head, caps, 0);
  require(read(stream, is_head, caps, 1) == whole);
  require(read(stream, is_head, caps, 2 + data[1]) == whole);
  return 0;
}
