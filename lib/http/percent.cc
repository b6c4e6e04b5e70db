#include "http/percent.h"

#include <algorithm>

#include "base/bytes.h"

namespace mcptoken::http {
namespace {

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text, Plus plus) {
  const auto is_special = [](char c) { return c == '%' || c == '+' || c == '\0'; };
  if (std::none_of(text.begin(), text.end(), is_special)) return std::string(text);
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\0') return std::nullopt;
    if (text[i] == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0 || (high == 0 && low == 0)) return std::nullopt;
      out.push_back(static_cast<char>(high << 4 | low));
      i += 2;
    } else {
      out.push_back(plus == Plus::space && text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

}  // namespace mcptoken::http
