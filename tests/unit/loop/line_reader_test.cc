#include "loop/line_reader.h"

#include <doctest/doctest.h>

#include <vector>

using namespace mcptoken::loop;

namespace {

std::vector<std::string> drain(LineReader& reader) {
  std::vector<std::string> out;
  while (auto line = reader.next()) out.push_back(*line);
  return out;
}

}  // namespace

TEST_CASE("lines come out whole, however the bytes are cut") {
  const std::string text = "one\n\ntwo\r\nthree \xc3\xa4\nlast";
  for (size_t step = 1; step <= text.size(); ++step) {
    LineReader reader(100, LineReader::LongLine::refuse);
    std::vector<std::string> lines;
    for (size_t at = 0; at < text.size(); at += step) {
      reader.feed(std::string_view(text).substr(at, step));
      for (auto& line : drain(reader)) lines.push_back(line);
    }
    CHECK(lines == std::vector<std::string>{"one", "", "two\r", "three \xc3\xa4"});
    CHECK(reader.rest() == "last");
    CHECK_FALSE(reader.rest());
    CHECK_FALSE(reader.overflowed());
  }
}

TEST_CASE("the limit is exact, and a refused line swallows what follows") {
  for (size_t step : {1, 3, 100}) {
    LineReader reader(4, LineReader::LongLine::refuse);
    const std::string text = "abcd\nabcde\nx\n";
    std::vector<std::string> lines;
    for (size_t at = 0; at < text.size(); at += step) {
      reader.feed(std::string_view(text).substr(at, step));
      for (auto& line : drain(reader)) lines.push_back(line);
    }
    CHECK(lines == std::vector<std::string>{"abcd"});
    CHECK(reader.overflowed());
    CHECK_FALSE(reader.rest());
  }
}

TEST_CASE("a line without end is refused as soon as the limit is passed") {
  LineReader reader(4, LineReader::LongLine::refuse);
  reader.feed("abcd");
  CHECK_FALSE(reader.next());
  CHECK_FALSE(reader.overflowed());
  reader.feed("e");
  CHECK_FALSE(reader.next());
  CHECK(reader.overflowed());
}

TEST_CASE("long lines can be split instead, losing nothing") {
  LineReader reader(4, LineReader::LongLine::split);
  reader.feed("abcdefghij\nkl\nmnopq");
  CHECK(drain(reader) == std::vector<std::string>{"abcd", "efgh", "ij", "kl", "mnop"});
  CHECK(reader.rest() == "q");
}
