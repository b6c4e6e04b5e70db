#include "gateway/unseen.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>

#include "base/text.h"

namespace mcptoken::gateway {
namespace {

constexpr char32_t kNonJoiner = 0x200c, kJoiner = 0x200d;

bool is_unseen(char32_t code) {
  if (code == '\t' || code == '\n' || code == '\r') return false;
  return is_control(code) || is_invisible(code);
}

char32_t unit(std::string_view digits) {
  uint32_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  return value;
}

// The character that an escape stands for; other escapes than those with digits stand for what anybody sees.
Character escaped_character(std::string_view text) {
  constexpr size_t kUnit = 6;  // \u and four digits
  if (text.size() < kUnit || text[1] != 'u') return {' ', std::min<size_t>(2, text.size()), true};
  const char32_t first = unit(text.substr(2, 4));
  const bool has_next = text.size() >= 2 * kUnit && text.substr(kUnit, 2) == "\\u";
  const char32_t second = has_next ? unit(text.substr(kUnit + 2, 4)) : 0;
  const bool is_pair = first >= 0xd800 && first < 0xdc00 && second >= 0xdc00 && second < 0xe000;
  if (!is_pair) return {first, kUnit, true};
  return {0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00), 2 * kUnit, true};
}

}  // namespace

std::string unseen_in(std::string_view entry) {
  size_t count = 0;
  char32_t found = 0, before = 0;
  while (!entry.empty()) {
    const Character next = entry.front() == '\\' ? escaped_character(entry) : first_character(entry);
    // One alone between letters is how some languages, and some emoji, are written.
    const bool joins = (next.code == kJoiner || next.code == kNonJoiner) && !is_unseen(before);
    const bool is_structure = static_cast<unsigned char>(entry.front()) < 0x20;
    if (!joins && !is_structure && is_unseen(next.code) && count++ == 0) found = next.code;
    before = next.code;
    entry.remove_prefix(next.bytes);
  }
  if (count == 0) return "";
  char code[16];
  std::snprintf(code, sizeof(code), "U+%04X", static_cast<unsigned>(found));
  return std::to_string(count) + (count == 1 ? " character" : " characters") + " that nobody sees, the first is " + code;
}

}  // namespace mcptoken::gateway
