#include "base/bytes.h"

#include <doctest/doctest.h>

#include "base/log.h"

using namespace mcptoken;

TEST_CASE("base64url round trip and canonical form") {
  for (std::string_view text : {"", "a", "ab", "abc", "abcd", "\xff\xfe\xfd"}) {
    auto encoded = to_base64url(text);
    CHECK(from_base64url(encoded) == std::string(text));
  }
  CHECK(to_base64url("ab") == "YWI");
  CHECK_FALSE(from_base64url("YWJ"));   // bits left over
  CHECK_FALSE(from_base64url("YWI="));  // padding
  CHECK_FALSE(from_base64url("Y"));
  CHECK(from_base64("YWI=") == std::string("ab"));
  CHECK_FALSE(from_base64("YWI"));
  CHECK_FALSE(from_base64("YW-="));
}

TEST_CASE("hex") {
  std::array<uint8_t, 3> out{};
  CHECK(from_hex("00ff7a", out));
  CHECK(to_hex(out) == "00ff7a");
  CHECK_FALSE(from_hex("00FF7A", out));
  CHECK_FALSE(from_hex("00ff7", out));
}

TEST_CASE("decimal numbers have one spelling") {
  CHECK(parse_decimal("0") == 0);
  CHECK(parse_decimal("9223372036854775807") == 9223372036854775807);
  for (std::string_view bad : {"", "00", "01", "-1", "+1", " 1", "1 ", "9223372036854775808", "1e3"}) CHECK_FALSE(parse_decimal(bad));
}

TEST_CASE("names") {
  CHECK(is_name("a"));
  CHECK(is_name("vllm-2"));
  CHECK(is_name(std::string(63, 'a')));
  for (std::string bad : {"", "-a", "a-", "A", "a_b", "a.b", "a/b", "vⅼlm"}) CHECK_FALSE(is_name(bad));
  CHECK_FALSE(is_name(std::string(64, 'a')));
}

TEST_CASE("the redactor removes credentials and keeps the public prefix") {
  std::string token = "mcpctl_pat_" + std::string(43, 'x');
  CHECK(redact("bad " + token + "!") == "bad mcpctl_pat_[redacted]!");
  CHECK(redact("prefix mcpctl_pat_ab12 is shown") == "prefix mcpctl_pat_ab12 is shown");
  CHECK(redact("mcpctl_mcpctl_" + token + token.substr(0, 16)) == "mcpctl_mcpctl_mcpctl_pat_[redacted]mcpctl_pat_[redacted]");
  CHECK(redact(token + " " + token + "-mcpctl_") == "mcpctl_pat_[redacted] mcpctl_pat_[redacted]-mcpctl_");
  CHECK(redact("mcpctl_xyz_abcdefgh, mcpctl_pat_") == "mcpctl_xyz_abcdefgh, mcpctl_pat_");
  CHECK(redact("") == "");
  CHECK(redact("mcpctl_ses_" + std::string(43, 'y')) == "mcpctl_ses_[redacted]");
  CHECK(redact("mcpctl_wat_" + std::string(96, 'a')) == "mcpctl_wat_[redacted]");
}

TEST_CASE("capital letters of ASCII alone become small ones, at any place") {
  for (size_t length : {1, 7, 8, 9, 17}) {
    for (size_t at = 0; at < length; ++at) {
      for (int c = 0; c < 256; ++c) {
        std::string text(length, 'Q'), expected(length, 'q');
        text[at] = expected[at] = static_cast<char>(c);
        if (c >= 'A' && c <= 'Z') expected[at] = static_cast<char>(c + 32);
        CAPTURE(c);
        CHECK(lower(text) == expected);
        CHECK(equals_ignoring_case(text, expected));
      }
    }
  }
}
