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
  const char first = text.front();
  if (static_cast<unsigned char>(first) < 0x80) {
    text.remove_prefix(1);
    return first >= 'A' && first <= 'Z' ? static_cast<char>(first | 0x20) : first;
  }
  for (const Folding& folding : kFoldings) {
    if (text.substr(0, folding.from.size()) != folding.from) continue;
    text.remove_prefix(folding.from.size());
    return folding.to;
  }
  text.remove_prefix(1);
  return first;
}

}  // namespace

bool folds_to(std::string_view key, std::string_view canonical) {
  if (!may_fold_to(key, canonical) || key == canonical) return false;
  while (!key.empty() && key.back() == '\0') {
    key.remove_suffix(1);
  }
  while (!key.empty() && !canonical.empty()) {
    if (take_folded(key) != take_folded(canonical)) return false;
  }
  return key.empty() && canonical.empty();
}

}  // namespace mcptoken::json
