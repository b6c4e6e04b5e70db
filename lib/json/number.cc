#include "json/number.h"

#include "base/bytes.h"
#include "base/limits.h"

namespace mcptoken::json {
namespace {

const char* skip_digits(const char* p, const char* end) {
  while (p != end && is_digit(*p)) {
    ++p;
  }
  return p;
}

}  // namespace

NumberScan scan_number(const char* p, const char* end) {
  const char* const begin = p;
  if (p != end && *p == '-') ++p;
  const char* digits = p;
  p = skip_digits(p, end);
  if (p == digits) return {p, NumberFault::grammar};
  if (*digits == '0') p = digits + 1;  // what follows a leading zero is no longer part of the number
  if (p != end && *p == '.') {
    digits = ++p;
    p = skip_digits(p, end);
    if (p == digits) return {p, NumberFault::grammar};
  }
  size_t exponent_digits = 0;
  if (p != end && (*p == 'e' || *p == 'E')) {
    ++p;
    if (p != end && (*p == '+' || *p == '-')) ++p;
    digits = p;
    p = skip_digits(p, end);
    if (p == digits) return {p, NumberFault::grammar};
    exponent_digits = static_cast<size_t>(p - digits);
  }
  if (exponent_digits > limits::kJsonExponentDigits) return {p, NumberFault::exponent};
  if (static_cast<size_t>(p - begin) > limits::kJsonNumberChars) return {p, NumberFault::length};
  return {p, NumberFault::none};
}

bool is_number(std::string_view text) {
  const char* end = text.data() + text.size();
  const NumberScan number = scan_number(text.data(), end);
  return number.fault == NumberFault::none && number.end == end;
}

}  // namespace mcptoken::json
