#include "token/find.h"

#include "token/token.h"

namespace mcptoken::token {

std::string_view find_raw(std::string_view text) {
  constexpr std::string_view kMark = "mcpctl_";  // of both prefixes
  for (size_t at = text.find(kMark); at != text.npos; at = text.find(kMark, at + 1)) {
    const auto raw = text.substr(at, kRawBytes);
    if (classify(raw)) return raw;
  }
  return {};
}

}  // namespace mcptoken::token
