// Text encodings of bytes, and small ASCII helpers that do not depend on a locale.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mcptoken {

std::string to_hex(std::span<const uint8_t> bytes);  // lower case
bool from_hex(std::string_view text, std::span<uint8_t> out);  // exactly 2 * out.size() lower-case digits

std::string to_base64url(std::string_view bytes);                       // RFC 4648 section 5, no padding
std::optional<std::string> from_base64url(std::string_view text);       // canonical form only
std::optional<std::string> from_base64(std::string_view text);          // RFC 4648 section 4, padded, canonical

std::string_view trim(std::string_view text);  // ASCII space and tab
bool equals_ignoring_case(std::string_view a, std::string_view b);  // ASCII letters only
std::string lower(std::string_view text);                           // ASCII letters only
void make_lower(std::span<char> text);
std::vector<std::string_view> split(std::string_view text, char separator);
// A decimal number without sign, spaces or leading zeros (but "0"); nothing otherwise or on overflow.
std::optional<int64_t> parse_decimal(std::string_view text);

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
inline bool is_tchar(char c) {  // RFC 9110 section 5.6.2
  return is_alpha(c) || is_digit(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// Names of objects: [a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?
bool is_name(std::string_view text);

inline std::span<const uint8_t> as_bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace mcptoken
