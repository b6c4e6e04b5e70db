#include "chunks.h"

#include <doctest/doctest.h>

#include <string>

using namespace mcpd;
using namespace std::literals;

namespace {

struct Judged {
  int status = 0;   // 0: nothing is wrong
  size_t left = 0;  // bytes behind the body
  bool ended = false;
};

// In pieces of so many bytes.
Judged judged(std::string_view input, size_t piece) {
  Chunks chunks;
  CHECK_FALSE(chunks.reading());
  chunks.begin();
  for (; !input.empty() && chunks.reading();) {
    auto part = input.substr(0, piece);
    const size_t size = part.size();
    if (const auto refusal = chunks.take(part)) return {refusal->status, 0, false};
    input.remove_prefix(size - part.size());
  }
  return {0, input.size(), !chunks.reading()};
}

int judged(std::string_view input) {
  const int status = judged(input, input.size()).status;
  for (const size_t piece : {size_t{1}, size_t{2}, size_t{3}}) CHECK(judged(input, piece).status == status);
  return status;
}

std::string trailed(std::string_view trailer) { return "1\r\na\r\n0\r\n" + std::string(trailer) + "\r\n"; }

}  // namespace

TEST_CASE("a chunked body ends where its empty line does") {
  for (const auto body : {"0\r\n\r\n"sv, "3\r\nabc\r\n0\r\n\r\n"sv, "A;x=\"y;\tz\"\r\n0\r\n\r\nabc\0\0\r\n00\r\n\r\n"sv,
                          "1\r\n\n\r\n0;a\r\nT: x\r\nU:\r\n\r\n"sv, "1;\xc3\xa9\r\n\0\r\n0000\r\nT:\t\xe9\r\n\r\n"sv}) {
    for (const size_t piece : {size_t{1}, size_t{2}, size_t{7}, size_t{1000}}) {
      CAPTURE(body);
      const auto seen = judged(std::string(body) + "GET /", piece);
      CHECK(seen.status == 0);
      CHECK(seen.ended);
      CHECK(seen.left == 5);
    }
    CHECK_FALSE(judged(body.substr(0, body.size() - 1), 1).ended);
  }
}

TEST_CASE("sizes and lines of chunks") {
  for (const auto bad : {"\r\n"sv, ";\r\n"sv, " 3\r\n"sv, "3 \r\n"sv, "+3\r\n"sv, "0x3\r\n"sv, "g\r\n"sv, "3\n"sv, "3\rx"sv, "3\0\r\n"sv,
                         "3;a\n"sv, "3;a\rb"sv, "3;\0"sv, "3;\x7f"sv, "3\r\nabcd"sv, "3\r\nabc\n"sv, "3\r\nabc\rx"sv, "0\n"sv, "0\r\n\n"sv,
                         "0\r\n\r\r"sv, "\x85"sv}) {
    CAPTURE(bad);
    CHECK(judged(bad) == 400);
  }
  CHECK(judged(std::string(kChunkLineBytes, '0')) == 0);
  CHECK(judged(std::string(kChunkLineBytes + 1, '0')) == 400);
  CHECK(judged("1;" + std::string(kChunkLineBytes, 'x')) == 400);
}

TEST_CASE("a chunk that says too much is refused before it comes") {
  CHECK(judged("2100000\r\n") == 0);
  CHECK(judged("2100001") == 413);
  CHECK(judged("3\r\nabc\r\n20ffffd\r\n") == 0);
  CHECK(judged("3\r\nabc\r\n20ffffe") == 413);
  CHECK(judged("ffffffffffffffffffffffff") == 413);
}

TEST_CASE("trailer fields") {
  for (const auto bad : {"b d: x\r\n"sv, "bd : x\r\n"sv, " bd: x\r\n"sv, "a: b\r\n c\r\n"sv, ": x\r\n"sv, "bd\r\n"sv,
                         "b_d: x\r\n"sv, "b\0: x\r\n"sv,
                         "b: \0\r\n"sv, "b: x\0\r\n"sv, "b: \rx\r\n"sv, "b: x\x7f\r\n"sv, "b: x\n"sv, "\xc3\xa9: x\r\n"sv}) {
    CAPTURE(bad);
    CHECK(judged(trailed(bad)) == 400);
  }
  std::string fields;
  for (size_t i = 0; i < kTrailerFields; ++i) fields += "T: x\r\n";
  CHECK(judged(trailed(fields)) == 0);
  CHECK(judged(trailed(fields + "T: x\r\n")) == 431);
  CHECK(judged(trailed("T:" + std::string(kTrailerBytes, 'x') + "\r\n")) == 400);
}
