#include "sanitize.h"

#include <doctest/doctest.h>

namespace mcpctl {

TEST_CASE("sanitize_line keeps text and drops what steers a terminal") {
  CHECK(sanitize_line("plain text, äöü 漢字 🦊") == "plain text, äöü 漢字 🦊");
  CHECK(sanitize_line("\x1b[31mred\x07\x7f") == "[31mred");
  CHECK(sanitize_line("a\nb\tc\rd\r\ne") == "a b c d e");
  CHECK(sanitize_line("\u202eevil\u202c \u2066x\u2069 \u200f\u061c") == "evil x ");
  CHECK(sanitize_line("c1:\u009b31m\u0085") == "c1:31m");
  CHECK(sanitize_line("tags:\U000E0041\U000E0042 zero\u200bwidth\ufeff") == "tags: zerowidth");
  CHECK(sanitize_line(std::string_view("nul\0end", 7)) == "nulend");
}

TEST_CASE("sanitize_text keeps lines and tabs") { CHECK(sanitize_text("a\n\tb\r\nc\rd\x1b") == "a\n\tb\nc\nd"); }

TEST_CASE("malformed UTF-8 becomes the replacement character and never swallows what follows") {
  CHECK(sanitize_line("a\xff"
                      "b") == "a\uFFFDb");
  CHECK(sanitize_line("a\xc3") == "a\uFFFD");
  CHECK(sanitize_line("a\xe2\x82") == "a\uFFFD\uFFFD");
  CHECK(sanitize_line("\xc0\xaf"
                      "x") == "\uFFFD\uFFFDx");  // overlong
  CHECK(sanitize_line("\xed\xa0\x80"
                      "x") == "\uFFFD\uFFFD\uFFFDx");  // surrogate
  CHECK(sanitize_line("\xf4\x90\x80\x80"
                      "x") == "\uFFFD\uFFFD\uFFFD\uFFFDx");
  CHECK(sanitize_line("\xe2\x1b[31m") == "\uFFFD[31m");
}

TEST_CASE("every code point survives a round trip through the decoder") {
  for (char32_t c = 1; c <= 0x10FFFF; c += c < 0x3000 ? 1 : 251) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    append_utf8(text, c);
    size_t at = 0;
    REQUIRE(next_code_point(text, at) == c);
    REQUIRE(at == text.size());
  }
}

TEST_CASE("sanitize_json escapes, so that the document stays the same") {
  CHECK(sanitize_json("{\n  \"a\": \"ä\u202e\u009b\x7f\U000E0041\"\n}\n") ==
        "{\n  \"a\": \"ä\\u202e\\u009b\\u007f\\udb40\\udc41\"\n}\n");
}

}  // namespace mcpctl
