// What stands in a text for people to read: one character after the other, and which of them nobody sees.
#pragma once

#include <cstddef>
#include <string_view>

namespace mcptoken {

struct Character {
  char32_t code = 0xfffd;  // U+FFFD for a byte that belongs to none
  size_t bytes = 1;
  bool valid = false;
};
// The first of a text that is not empty. UTF-8 in its shortest form, without surrogates.
Character first_character(std::string_view text);

inline bool is_control(char32_t code) { return code < 0x20 || (code >= 0x7f && code < 0xa0); }
// What hides, reorders or breaks a line: invisible formatting, directions, fillers, tags, variation selectors but the
// one that emoji are written with.
bool is_invisible(char32_t code);
// The one of emoji. It says how the character in front of it looks, and has no place in a name.
inline constexpr char32_t kEmojiSelector = 0xfe0f;

}  // namespace mcptoken
