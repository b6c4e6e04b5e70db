// The grammar of JSON numbers (RFC 8259 section 6) as text; no conversion to binary takes place here.
#pragma once

#include <string_view>

namespace mcptoken::json {

enum class NumberFault : unsigned char { none, grammar, length, exponent };

struct NumberScan {
  const char* end;  // one past the number, or the byte that breaks the grammar
  NumberFault fault;
};

// Reads the longest number at p. Never reads beyond end.
NumberScan scan_number(const char* p, const char* end);

// A complete JSON number within the limits of base/limits.h.
bool is_number(std::string_view text);

}  // namespace mcptoken::json
