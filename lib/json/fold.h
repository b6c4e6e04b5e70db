// Names that a lenient reader would take for another one. JSON keys are compared exactly here; some peers fold case
// (Go's encoding/json does, by Unicode simple folding), so that a variant of a protocol member would mean something to
// them.
#pragma once

#include <string_view>

namespace mcptoken::json {

// Whether `key` differs from `canonical` but equals it once both are folded: ASCII case, U+017F (long s) as s, U+212A
// (kelvin sign) as k, NUL bytes at the end dropped. Both are raw UTF-8; `canonical` is ASCII.
bool folds_to(std::string_view key, std::string_view canonical);

}  // namespace mcptoken::json
