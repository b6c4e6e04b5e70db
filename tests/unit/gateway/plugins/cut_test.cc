#include "gateway/plugins/cut.h"

#include <doctest/doctest.h>

#include "random_text.h"

namespace mcptoken::gateway {
namespace {

std::vector<std::string> pieces(const std::string& text, size_t most) {
  std::vector<std::string> out;
  size_t begin = 0;
  for (const size_t end : cut(text, borders_of(text, form_of(text)), most)) {
    out.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return out;
}

TEST_CASE("the form of a text is told from the text") {
  CHECK(form_of("") == Form::text);
  CHECK(form_of("2026-01-01 started\n2026-01-01 ended\n") == Form::text);
  CHECK(form_of("# Title\n\nWords.\n") == Form::markdown);
  CHECK(form_of("Words.\n\n## Later\n") == Form::markdown);
  CHECK(form_of("```\n# a comment\n```\nwords\n") == Form::text);
  CHECK(form_of("#!/bin/sh\n#nothing\n") == Form::text);
  CHECK(form_of(" [1, 2]\n") == Form::json);
  CHECK(form_of("{\"a\":1}") == Form::json);
  CHECK(form_of("[1, 2") == Form::text);
  CHECK(form_of("[note] this is a log\n") == Form::text);
  CHECK(form_of("import x\n# one\ndef f():\n  pass\ndef g():\n  pass\n") == Form::code);
}

TEST_CASE("headings are taken before paragraphs, paragraphs before lines, when they leave half a piece") {
  CHECK(pieces("aaaa aaaa\n\nbbbb\nccc\nddddddddddd", 20) ==
        std::vector<std::string>{"aaaa aaaa\n\n", "bbbb\nccc\nddddddddddd"});
  CHECK(pieces("aaaaaa aaaa\n# H\n\nbb bbbb bbbb\n", 18) ==
        std::vector<std::string>{"aaaaaa aaaa\n", "# H\n\nbb bbbb bbbb\n"});
  CHECK(pieces("a\n\nbbbb bbbb bb\ncccccccccccccc", 18) ==
        std::vector<std::string>{"a\n\nbbbb bbbb bb\n", "cccccccccccccc"});
}

TEST_CASE("without lines blanks are taken, and without blanks characters") {
  CHECK(pieces("aaa bbb ccc ddd", 9) == std::vector<std::string>{"aaa bbb ", "ccc ddd"});
  CHECK(pieces("ääääää", 5) == std::vector<std::string>{"ää", "ää", "ää"});
  CHECK(pieces("🙂🙂🙂", 7) == std::vector<std::string>{"🙂", "🙂", "🙂"});
}

TEST_CASE("JSON is cut between elements, the outermost first, and never because of a comma in a string") {
  CHECK(pieces(R"([{"a":1,"b":2},{"a":3,"b":4}])", 20) ==
        std::vector<std::string>{R"([{"a":1,"b":2},)", R"({"a":3,"b":4}])"});
  CHECK(pieces(R"(["a,b\",c", "d"])", 14) == std::vector<std::string>{R"(["a,b\",c", )", R"("d"])"});
}

TEST_CASE("what is no UTF-8 is cut, too") {
  const std::string bytes(100, '\x80');
  std::string all;
  for (const auto& piece : pieces(bytes, 8)) {
    CHECK(piece.size() <= 8);
    all += piece;
  }
  CHECK(all == bytes);
}

TEST_CASE("property: pieces are the text, none is longer than asked, none begins inside a character") {
  const uint32_t seed = std::random_device()();
  CAPTURE(seed);
  RandomText make(seed);
  for (int round = 0; round < 400; ++round) {
    const std::string text = make.any(1 + make.below(6000));
    const size_t most = 4 + make.below(700);
    std::string all;
    for (const auto& piece : pieces(text, most)) {
      REQUIRE(!piece.empty());
      REQUIRE(piece.size() <= most);
      REQUIRE((static_cast<uint8_t>(piece[0]) & 0xC0) != 0x80);
      all += piece;
    }
    REQUIRE(all == text);
  }
}

TEST_CASE("one line is one line, and not longer than asked") {
  CHECK(one_line("  \n a\tb\x1b[31m  \nsecond", 80) == "a b [31m");
  CHECK(one_line("", 80).empty());
  CHECK(one_line("äääää", 8) == "ää…");
  CHECK(one_line("äääää", 10) == "äääää");
}

}  // namespace
}  // namespace mcptoken::gateway
