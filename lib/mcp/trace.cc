#include "mcp/trace.h"

#include <algorithm>

#include "base/bytes.h"

namespace mcptoken::mcp {
namespace {

constexpr size_t kParentBytes = 55;  // VERSION-TRACE-SPAN-FLAGS: 2, 32, 16 and 2 digits
constexpr size_t kStateBytes = 512;

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
}

bool is_zero(std::string_view text) { return text.find_first_not_of('0') == std::string_view::npos; }

bool is_parent(std::string_view text) {
  if (text.size() < kParentBytes || text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
  const auto version = text.substr(0, 2), trace = text.substr(3, 32), span = text.substr(36, 16);
  if (!is_hex(version) || !is_hex(trace) || !is_hex(span) || !is_hex(text.substr(53, 2))) return false;
  if (version == "ff" || is_zero(trace) || is_zero(span)) return false;
  // Later versions may have more behind it; the first has not.
  return text.size() == kParentBytes ||
         (version != "00" && text[kParentBytes] == '-' && text.size() <= 2 * kParentBytes);
}

}  // namespace

Trace read_trace(std::string_view parent, std::string_view state) {
  Trace out;
  if (!is_parent(parent)) return out;
  out.parent = parent;
  const bool printable = std::all_of(state.begin(), state.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  if (printable && state.size() <= kStateBytes) out.state = state;
  return out;
}

}  // namespace mcptoken::mcp
