// Names that a lenient reader would take for another one. JSON keys are compared exactly here; some peers fold case
// (Go's encoding/json does, by Unicode simple folding), so that a variant of a protocol member would mean something to
// them.
#pragma once

#include <string_view>

namespace mcptoken::json {

// Whether `key` differs from `canonical` but equals it once both are folded: ASCII case, U+017F (long s) as s, U+212A
// (kelvin sign) as k, NUL bytes at the end dropped. Both are raw UTF-8; `canonical` is ASCII.
bool folds_to(std::string_view key, std::string_view canonical);

// False for nearly every key, and then folds_to is: they differ in their first letter.
inline bool may_fold_to(std::string_view key, std::string_view canonical) {
  if (key.size() < canonical.size()) return false;  // no character folds to more bytes
  if (canonical.empty()) return true;
  const auto first = static_cast<unsigned char>(key.front());
  return first >= 0x80 || ((first ^ static_cast<unsigned char>(canonical.front())) & ~0x20U) == 0;
}

}  // namespace mcptoken::json
