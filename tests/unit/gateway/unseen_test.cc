#include "gateway/unseen.h"

#include <string>

#include <doctest/doctest.h>

using namespace mcptoken::gateway;

TEST_CASE("unseen: what people do not see and models read is found, as it is and as an escape (GW-69)") {
  struct Row {
    const char* text;
    const char* first;
  };
  constexpr Row kRows[] = {
      {"a\xe2\x80\xae" "b", "1 character that nobody sees, the first is U+202E"},
      {R"(a\u202eb\u202Ec)", "2 characters that nobody sees, the first is U+202E"},
      {R"(\u001b[31mred)", "1 character that nobody sees, the first is U+001B"},
      {"\x7f", "1 character that nobody sees, the first is U+007F"},
      {R"(\u009b)", "1 character that nobody sees, the first is U+009B"},
      {"\xf3\xa0\x81\xa1", "1 character that nobody sees, the first is U+E0061"},
      {R"(\udb40\udc61\uDB40\uDC62)", "2 characters that nobody sees, the first is U+E0061"},
      {"\xe2\x80\x8b", "1 character that nobody sees, the first is U+200B"},
      {"a\xe2\x80\x8d\xe2\x80\x8c\xe2\x80\x8d" "b", "2 characters that nobody sees, the first is U+200C"},
      {R"(a\u200d\u200db)", "1 character that nobody sees, the first is U+200D"},
  };
  for (const Row& row : kRows) CHECK(unseen_in(std::string(R"({"name":"n","description":")") + row.text + "\"}") == row.first);
}

TEST_CASE("unseen: what people write is not") {
  for (const char* text : {
           "", "plain", R"(two\nlines\r\nand\ta tab)", R"(\u000a\u0009)", R"(a \\u202e that is spelt out)", "caf\xc3\xa9",
           "\xe2\x9d\xa4\xef\xb8\x8f",                                                      // heart, with the selector of emoji
           "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb",                                  // woman, joiner, laptop
           "\xd9\x85\xdb\x8c\xe2\x80\x8c\xd8\xae\xd9\x88\xd8\xa7\xd9\x87\xd9\x85",          // Persian
           R"(\ud83d\ude00)", R"(\ud83d alone)", R"(\ud83d\u0041)", R"(\\)", R"(\")",
       }) {
    CHECK_MESSAGE(unseen_in(std::string("{\n\t\"name\":\"n\",\r\n\"description\":\"") + text + "\"}") == "", text);
  }
}
