// Request targets and queries from hostile text: what is accepted has no segment that a file system or a router could
// read in a second way, and means the same when it is written again with every byte escaped.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "service/auth.h"

using namespace mcptoken;
using namespace mcptoken::service;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    out.push_back('%');
    out.push_back("0123456789ABCDEF"[byte >> 4]);
    out.push_back("0123456789abcdef"[byte & 15]);
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Head head;
  head.target.assign(reinterpret_cast<const char*>(data), size);
  if (!parse_target(head)) return 0;
  Head again;
  for (const auto& segment : head.path) {
    require(!segment.empty() && segment != "." && segment != "..");
    for (char c : segment)
      require(c != '/' && c != '\\' && static_cast<uint8_t>(c) >= 0x20 && c != 0x7f);
    again.target += "/" + escaped(segment);
  }
  if (again.target.empty()) again.target = "/";
  require(parse_target(again).has_value() && again.path == head.path && again.query.empty());

  const auto query = parse_query(head.query);
  if (!query) return 0;
  std::string rewritten;
  for (const auto& [name, value] : *query) {
    require(!name.empty() && name.find('\0') == std::string::npos && value.find('\0') == std::string::npos);
    rewritten += (rewritten.empty() ? "" : "&") + escaped(name) + "=" + escaped(value);
  }
  const auto reread = parse_query(rewritten);
  require(reread && *reread == *query);
  return 0;
}
