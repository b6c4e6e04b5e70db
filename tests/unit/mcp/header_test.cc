#include "mcp/header.h"

#include <doctest/doctest.h>

#include <string>

using namespace mcptoken::mcp;

TEST_CASE("header: plain values stay, others are marked") {
  struct Row {
    std::string value, header;
  };
  const Row rows[] = {
      {"tools/call", "tools/call"},
      {"two words", "two words"},
      {"~!\"{}", "~!\"{}"},
      {"=?base64?", "=?base64?"},    // not a complete marker
      {"=?base64?=", "=?base64?="},  // its two halves overlap
      {"=?BASE64?YQ==?=", "=?BASE64?YQ==?="},
      {"",
       "=?base64?"
       "?="},
      {" edge", "=?base64?IGVkZ2U=?="},
      {"edge ", "=?base64?ZWRnZSA=?="},
      {"\xc3\xa4", "=?base64?w6Q=?="},
      {"a\x7f", "=?base64?YX8=?="},
      {"a\tb", "=?base64?YQli?="},
      {"=?base64?YQ==?=", "=?base64?PT9iYXNlNjQ/WVE9PT89?="},
      {"\xff\xfe\xfb", "=?base64?//77?="},  // the standard alphabet, not the one for URLs
  };
  for (auto& row : rows) {
    CAPTURE(row.value);
    CHECK(encode_header(row.value) == row.header);
    CHECK(decode_header(row.header) == std::optional<std::string>(row.value));
  }
}

TEST_CASE("header: every byte comes back, or is refused") {
  for (int c = 0; c < 256; ++c) {
    CAPTURE(c);
    std::string value = "a" + std::string(1, static_cast<char>(c)) + "b";
    std::string header = encode_header(value);
    for (char one : header)
      CHECK((one >= 0x20 && one <= 0x7e));
    auto back = decode_header(header);
    if (c == 0 || c == '\r' || c == '\n')
      CHECK_FALSE(back);
    else
      CHECK(back == std::optional<std::string>(value));
  }
}

TEST_CASE("header: bad Base64 in a complete marker") {
  for (const char* header : {"=?base64?YQ?=", "=?base64?YQ=?=", "=?base64?YQ===?=", "=?base64?Y?=", "=?base64?YR==?=",
                             "=?base64?Y Q==?=", "=?base64?_-==?=", "=?base64?%59?=", "=?base64?YQ==YQ==?=",
                             "=?base64?DQo=?=", "=?base64?AA==?=", "=?base64?YQo=?="}) {
    CAPTURE(header);
    CHECK_FALSE(decode_header(header));
  }
  CHECK(decode_header("  \t=?base64?YQ==?= ") == std::optional<std::string>("a"));
  CHECK(decode_header("=?base64?YQ==") == std::optional<std::string>("=?base64?YQ=="));  // incomplete: literal
  CHECK(decode_header("") == std::optional<std::string>(""));
}

TEST_CASE("header: what Mcp-Name repeats") {
  CHECK(named_member("tools/call") == "name");
  CHECK(named_member("resources/read") == "uri");
  for (const char* method : {"tasks/get", "tasks/update", "tasks/cancel"}) CHECK(named_member(method) == "taskId");
  for (const char* method : {"tools/list", "tasks/list", "Tools/call", ""}) CHECK(named_member(method) == "");
}
