#include "json/fold.h"

namespace mcptoken::json {
namespace {

struct Folding {
  std::string_view from;
  char to;
};
// The only characters outside ASCII whose simple case folding is an ASCII letter (Unicode CaseFolding.txt).
constexpr Folding kFoldings[] = {{"\u017F", 's'}, {"\u212A", 'k'}};

// Takes one character off the front; bytes that fold to nothing in ASCII come out as they are.
char take_folded(std::string_view& text) {
  for (const Folding& folding : kFoldings) {
    if (text.substr(0, folding.from.size()) != folding.from) continue;
    text.remove_prefix(folding.from.size());
    return folding.to;
  }
  const char c = text.front();
  text.remove_prefix(1);
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

}  // namespace

bool folds_to(std::string_view key, std::string_view canonical) {
  if (key == canonical) return false;
  while (!key.empty() && key.back() == '\0') {
    key.remove_suffix(1);
  }
  while (!key.empty() && !canonical.empty()) {
    if (take_folded(key) != take_folded(canonical)) return false;
  }
  return key.empty() && canonical.empty();
}

}  // namespace mcptoken::json
