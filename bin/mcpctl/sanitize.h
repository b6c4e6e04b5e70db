// Text from elsewhere (tool names, messages of servers) must not steer a terminal or reorder what is read on it.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace mcpctl {

// Decodes one code point at `at` and advances; a malformed byte yields U+FFFD and advances by one.
char32_t next_code_point(std::string_view text, size_t& at);
void append_utf8(std::string& out, char32_t code_point);

// Control characters (C0, DEL, C1), bidirectional controls, invisible format characters, separators, tag characters and
// non-characters.
bool is_unsafe(char32_t code_point);

// One line: unsafe code points go, line breaks and tabs become a space, malformed bytes U+FFFD.
std::string sanitize_line(std::string_view text);
// The same, keeping line breaks and tabs.
std::string sanitize_text(std::string_view text);
// JSON text with unsafe code points inside strings written as \u escapes: the same document, harmless to look at.
std::string sanitize_json(std::string_view json);

}  // namespace mcpctl
