// Character classes of HTTP. One table, because these run over every byte of every head.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace mcptoken::http {

inline constexpr auto kIsTchar = [] {
  std::array<bool, 256> table{};
  for (size_t c = 'a'; c <= 'z'; ++c)
    table[c] = table[c - 'a' + 'A'] = true;
  for (size_t c = '0'; c <= '9'; ++c)
    table[c] = true;
  for (char c : std::string_view("!#$%&'*+-.^_`|~"))
    table[static_cast<uint8_t>(c)] = true;
  return table;
}();

inline bool is_token(std::string_view text) {
  for (char c : text) {
    if (!kIsTchar[static_cast<uint8_t>(c)]) return false;
  }
  return !text.empty();
}

// Whether a token is `name` in any case; `name` has lower-case letters and '-' only.
inline bool is_named(std::string_view token, std::string_view name) {
  if (token.size() != name.size()) return false;
  for (size_t i = 0; i < name.size(); ++i) {
    if ((token[i] | 0x20) != name[i]) return false;  // no tchar but '-' itself becomes '-'
  }
  return true;
}

// field-value of RFC 9110 section 5.5: no control characters but HTAB; bytes from 0x80 on are opaque.
inline bool is_field_char(char c) {
  const auto byte = static_cast<uint8_t>(c);
  return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}

inline bool is_field_value(std::string_view text) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {  // eight at a time: a byte below 0x20, or 0x7f, sets its top bit
    uint64_t word;
    std::memcpy(&word, text.data() + at, 8);
    const uint64_t is_del = word ^ kOnes * 0x7f;
    if ((((word - kOnes * 0x20) & ~word) | ((is_del - kOnes) & ~is_del)) & kOnes * 0x80) break;
  }
  for (; at < text.size(); ++at) {
    if (!is_field_char(text[at])) return false;
  }
  return true;
}

}  // namespace mcptoken::http
