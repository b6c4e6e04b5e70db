// Where a text may be cut: what kind of text it is, the borders it has, and the choice among them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mcptoken::gateway {

enum class Form : uint8_t { text, markdown, json, code };
Form form_of(std::string_view text);

// A place between two bytes, never inside a character. Lower ranks are better places. Ascending.
struct Border {
  size_t at = 0;
  uint32_t rank = 0;
};
// JSON: after the comma and white space between elements, ranked by depth (1: elements of the document itself).
// All else: beginnings of headings or definitions (kHeading), of what follows a blank line, of lines.
std::vector<Border> borders_of(std::string_view text, Form form);
inline constexpr uint32_t kHeading = 0, kParagraph = 1, kLine = 2;

// Ends of consecutive pieces of at most `most` bytes each (at least 4), the last one being the text's end. Borders that
// leave half a piece or more are preferred, the best rank first, then the last; then blanks; then any character.
std::vector<size_t> cut(std::string_view text, const std::vector<Border>& borders, size_t most);

// The last place at or before `at` that is not inside a character.
size_t character_border(std::string_view text, size_t at);
// One line of at most that many bytes, white space trimmed, control characters taken out; "…" at its end when it is
// cut.
std::string one_line(std::string_view text, size_t most);

bool is_heading(std::string_view line);     // of Markdown, "# …"
bool is_definition(std::string_view line);  // begins a definition of some programming language

}  // namespace mcptoken::gateway
