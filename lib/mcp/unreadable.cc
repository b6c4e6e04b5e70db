#include "mcp/unreadable.h"

#include <charconv>

#include "base/bytes.h"

namespace mcptoken::mcp {
namespace {

std::optional<int64_t> number_at(std::string_view text) {
  text = trim(text);
  int64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(read.ptr - text.data()));
  const bool ends = text.empty() || std::string_view(",} \t\r\n").find(text.front()) != std::string_view::npos;
  return ends ? std::optional(value) : std::nullopt;
}

// The members of the outermost object, as far as they can be told apart. member: (std::string_view name, std::string_view rest)
template <class F>
void each_member(std::string_view text, F member) {
  bool in_string = false, escaped = false;
  int depth = 0;
  size_t start = 0;
  std::string_view last;  // string of the outermost object
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (!escaped && c == '"') last = text.substr(start, i - start);
      in_string = escaped || c != '"';
      escaped = !escaped && c == '\\';
    } else if (c == '"') {
      in_string = true;
      start = i + 1;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      --depth;
    } else if (c == ':' && depth == 1) {
      member(last, text.substr(i + 1));
    }
  }
}

}  // namespace

std::optional<int64_t> answered_by(std::string_view text) {
  std::optional<int64_t> id;
  bool asks = false, answers = false;
  each_member(text, [&](std::string_view name, std::string_view rest) {
    if (name == "id") id = number_at(rest);
    asks |= name == "method";
    answers |= name == "result" || name == "error";
  });
  return answers && !asks ? id : std::nullopt;
}

}  // namespace mcptoken::mcp
