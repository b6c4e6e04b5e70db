#include "base/text.h"

#include <algorithm>
#include <cstdint>

namespace mcptoken {
namespace {

struct Range {
  char32_t first, last;
};
constexpr Range kInvisible[] = {
    {0x00ad, 0x00ad},    // soft hyphen
    {0x034f, 0x034f},    // grapheme joiner
    {0x061c, 0x061c},    // Arabic letter mark
    {0x115f, 0x1160},    // Hangul fillers
    {0x17b4, 0x17b5},    // Khmer vowels that are not shown
    {0x180b, 0x180f},    // Mongolian selectors and vowel separator
    {0x200b, 0x200f},    // zero width, directions
    {0x2028, 0x202e},    // separators of lines, directions
    {0x2060, 0x206f},    // joiners, invisible operators, directions
    {0x3164, 0x3164},    // Hangul filler
    {0xfe00, 0xfe0e},    // variation selectors
    {0xfeff, 0xfeff},    // byte order mark
    {0xffa0, 0xffa0},    // Hangul filler, half width
    {0xfff0, 0xfffb},    // annotations, and what is not assigned
    {0x1bca0, 0x1bca3},  // shorthand formatting
    {0x1d173, 0x1d17a},  // musical formatting
    {0xe0000, 0xe0fff},  // tags, variation selectors
};

}  // namespace

Character first_character(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  const size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < bytes) return {};
  char32_t code = lead & (0xffu >> (bytes + 1));
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3fu);
  }
  static constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[bytes] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {};
  return {code, bytes, true};
}

bool is_invisible(char32_t code) {
  const auto* range =
      std::find_if(std::begin(kInvisible), std::end(kInvisible), [&](const Range& one) { return code <= one.last; });
  return range != std::end(kInvisible) && code >= range->first;
}

}  // namespace mcptoken
