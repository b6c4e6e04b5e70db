#include <charconv>

#include "json/invariant.h"
#include "json/scan.h"
#include "json/utf8.h"

namespace mcptoken::json {
namespace {

constexpr std::string_view kLetters = "\"\\/bfnrt";
constexpr unsigned kReplacement = 0xFFFD;  // for a surrogate alone, which only a lenient reading lets through
constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";

unsigned hex4(std::string_view inside, size_t at) {
  MCPT_JSON_REQUIRE(at + 4 <= inside.size());
  unsigned value = 0;
  const auto [end, error] = std::from_chars(inside.data() + at, inside.data() + at + 4, value, 16);
  MCPT_JSON_REQUIRE(error == std::errc() && end == inside.data() + at + 4);
  return value;
}

}  // namespace

std::string unescape(std::string_view inside) {
  std::string out;
  out.reserve(inside.size());
  size_t at = 0;
  for (;;) {
    const size_t escape = inside.find('\\', at);
    out.append(inside.substr(at, escape - at));
    if (escape == std::string_view::npos) return out;
    MCPT_JSON_REQUIRE(escape + 1 < inside.size());
    at = escape + 2;
    const char letter = inside[escape + 1];
    if (letter != 'u') {
      const size_t row = kLetters.find(letter);
      MCPT_JSON_REQUIRE(row != std::string_view::npos);
      out.push_back(kMeanings[row]);
      continue;
    }
    unsigned code_point = hex4(inside, at);
    at += 4;
    if (code_point >= 0xD800 && code_point <= 0xDFFF) {
      const unsigned partner = code_point <= 0xDBFF && inside.substr(at, 2) == "\\u" ? hex4(inside, at + 2) : 0;
      const bool is_pair = partner >= 0xDC00 && partner <= 0xDFFF;
      code_point = is_pair ? 0x10000 + ((code_point - 0xD800) << 10) + (partner - 0xDC00) : kReplacement;
      if (is_pair) at += 6;
    }
    append_utf8(out, code_point);
  }
}

}  // namespace mcptoken::json
