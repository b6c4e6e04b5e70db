// An event stream from hostile bytes: the same events however it is cut, and the same as a slow, obvious reader finds.
// Input: one byte that says how to cut, then the stream.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/sse.h"

using namespace mcptoken;
using namespace mcptoken::http;

namespace {

constexpr size_t kLimit = 200;

struct Outcome {
  std::vector<std::string> events;
  std::string last_id;
  bool failed = false;
  bool operator==(const Outcome&) const = default;
};

std::string show(std::string_view type, std::string_view data, std::string_view id) {
  return std::string(type).append("\x1f").append(data).append("\x1f").append(id);
}

Outcome read(std::string_view stream, uint32_t most) {
  SseReader reader(kLimit);
  Outcome out;
  uint32_t state = most * 2654435761u + 1;
  for (size_t at = 0; at < stream.size() && !out.failed;) {
    state = state * 1664525u + 1013904223u;
    const size_t step = most == 0 ? stream.size() : 1 + (state >> 16) % most;
    const std::string_view part = stream.substr(at, step);
    const auto copy = std::make_unique<char[]>(part.size());
    part.copy(copy.get(), part.size());
    out.failed = !reader.feed(std::string_view(copy.get(), part.size()), [&](const SseEvent& event) {
      if (event.data.size() > kLimit) std::abort();
      out.events.push_back(show(event.event, event.data, event.id));
    });
    at += part.size();
  }
  if (!out.failed) out.last_id = reader.last_id();
  return out;
}

// The standard's text, line by line, on the whole stream.
Outcome reference(std::string_view stream) {
  Outcome out;
  if (stream.starts_with("\xef\xbb\xbf")) stream.remove_prefix(3);
  std::string type, data, id;
  size_t block = 0;
  while (!stream.empty()) {
    const size_t end = stream.find_first_of("\r\n");
    const std::string_view line = stream.substr(0, end);
    if (!line.starts_with(':')) block += line.size();
    if (block > kLimit) {
      out.failed = true;
      out.last_id.clear();
      return out;
    }
    if (end == std::string_view::npos) return out;
    stream.remove_prefix(end + (stream.substr(end).starts_with("\r\n") ? 2 : 1));
    if (line.empty()) {
      out.last_id = id;
      if (!data.empty())
        out.events.push_back(show(type.empty() ? "message" : type, data.substr(0, data.size() - 1), id));
      data.clear();
      type.clear();
      block = 0;
      continue;
    }
    const size_t colon = line.find(':');
    if (colon == 0) continue;
    std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    const std::string_view name = line.substr(0, colon);
    if (name == "event") type = value;
    if (name == "data") data.append(value).append("\n");
    if (name == "id" && value.find('\0') == std::string_view::npos) id = value;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = read(stream, 0);
  if (!(whole == reference(stream))) std::abort();
  if (!(read(stream, 1) == whole)) std::abort();
  if (!(read(stream, 2 + data[0]) == whole)) std::abort();
  return 0;
}
