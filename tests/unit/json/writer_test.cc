#include "json/writer.h"

#include <doctest/doctest.h>

#include "json/value.h"

using namespace mcptoken;
using json::Writer;

TEST_CASE("commas and colons") {
  std::string out = "prefix ";
  Writer writer(out);
  writer.begin_object().member("a", "x").member("n", int64_t{-5}).member("t", true).key("list").begin_array();
  writer.null()
      .boolean(false)
      .integer(INT64_MIN)
      .begin_object()
      .end_object()
      .begin_array()
      .end_array()
      .raw("[1, 2]")
      .end_array();
  writer.raw_member("raw", "{}")
      .member("view", std::string_view("v"))
      .key("o")
      .begin_object()
      .member("in", "")
      .end_object();
  writer.member("last", int64_t{0}).end_object();
  CHECK(out ==
        "prefix "
        R"({"a":"x","n":-5,"t":true,"list":[null,false,-9223372036854775808,{},[],[1, 2]],"raw":{},)"
        R"("view":"v","o":{"in":""},"last":0})");
}

TEST_CASE("strings are escaped and always valid") {
  const std::string all("\"\\/\b\f\n\r\t\0\x01\x1f\x7f", 12);
  CHECK(json::quoted(all) == R"("\"\\/\b\f\n\r\t\u0000\u0001\u001f)"
                             "\x7f\"");
  CHECK(json::quoted("é€𝄞") == "\"é€𝄞\"");
  CHECK(json::quoted("") == "\"\"");
  CHECK(json::quoted("a\x80z\xC3") == "\"a\uFFFDz\uFFFD\"");
  CHECK(json::quoted("\xED\xA0\x80") == "\"\uFFFD\uFFFD\uFFFD\"");
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::string text{static_cast<char>(first), static_cast<char>(second), 'x'};
      const auto read = json::parse(json::quoted(text));
      REQUIRE(read);
      if (first < 0x80 && second < 0x80) REQUIRE(*read->as_string() == text);
    }
  }
}
