#include "json/utf8.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

using namespace mcptoken::json;

TEST_CASE("every code point is one sequence, every cut of it none") {
  for (unsigned code = 0; code <= 0x110000; ++code) {
    std::string text;
    append_utf8(text, code);
    const bool valid = code < 0x110000 && (code < 0xD800 || code > 0xDFFF);
    const char* p = text.data();
    if (utf8_length(p, p + text.size()) != (valid ? text.size() : 0)) {
      CAPTURE(code);
      CHECK(false);
    }
    for (size_t size = 1; size < text.size(); ++size) {
      if (utf8_length(p, p + size) != 0) {
        CAPTURE(code);
        CHECK(false);
      }
    }
  }
}

TEST_CASE("exactly the shortest forms are accepted among all leads and seconds") {
  size_t accepted = 0;
  for (unsigned lead = 0x80; lead < 0x100; ++lead) {
    for (unsigned second = 0; second < 0x100; ++second) {
      const char text[4] = {static_cast<char>(lead), static_cast<char>(second), '\x80', '\x80'};
      accepted += utf8_length(text, text + 4) != 0 ? 1 : 0;
    }
  }
  // 30 leads of two bytes; of three: 14 whole ones and E0 and ED with half a range; of four: F1 to F3, F0 and F4 in
  // part.
  CHECK(accepted == 30 * 64 + 14 * 64 + 2 * 32 + 3 * 64 + 48 + 16);
}

TEST_CASE("runs of plain characters end where they must") {
  for (size_t length = 0; length < 70; ++length) {
    const std::vector<char> plain(length, 'x');
    CHECK(skip_plain_ascii(plain.data(), plain.data() + length) == plain.data() + length);
    for (size_t at = 0; at < length; ++at) {
      for (unsigned c = 0; c < 256; ++c) {
        const bool special = c < 0x20 || c >= 0x80 || c == '"' || c == '\\';
        std::vector<char> text = plain;
        text[at] = static_cast<char>(c);
        const char* expected = text.data() + (special ? at : length);
        if (skip_plain_ascii(text.data(), text.data() + length) != expected) {
          CAPTURE(length);
          CAPTURE(at);
          CAPTURE(c);
          CHECK(false);
        }
      }
    }
  }
}

TEST_CASE("long runs of plain characters end where they must") {
  for (size_t length : {255, 256, 257, 319, 320, 400, 401, 512, 700}) {
    std::vector<char> text(length, 'x');
    CHECK(skip_plain_ascii(text.data(), text.data() + length) == text.data() + length);
    CHECK(skip_long_plain_ascii(text.data(), text.data() + length) <= text.data() + length);
    for (size_t at = 0; at < length; ++at) {
      for (unsigned c : {0x00, 0x1f, 0x20, 0x21, 0x22, 0x23, 0x5b, 0x5c, 0x5d, 0x7e, 0x7f, 0x80, 0xff}) {
        const bool special = c < 0x20 || c >= 0x80 || c == '"' || c == '\\';
        text[at] = static_cast<char>(c);
        const char* expected = text.data() + (special ? at : length);
        if (skip_plain_ascii(text.data(), text.data() + length) != expected) {
          CAPTURE(length);
          CAPTURE(at);
          CAPTURE(c);
          CHECK(false);
        }
        text[at] = 'x';
      }
    }
  }
}
