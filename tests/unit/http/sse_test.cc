#include "http/sse.h"

#include <doctest/doctest.h>

#include <memory>

using namespace mcptoken;
using namespace mcptoken::http;

namespace {

struct Outcome {
  std::vector<std::string> events;  // type|data|id|retry
  std::string last_id;
  bool failed = false;
  bool operator==(const Outcome&) const = default;
};

Outcome read(std::string_view stream, size_t step, size_t limit = 1000) {
  SseReader reader(limit);
  Outcome out;
  for (size_t at = 0; at < stream.size() && !out.failed; at += step) {
    // A copy of exactly this piece, gone after the call: a view that was kept would be noticed.
    const auto piece = std::make_unique<std::string>(stream.substr(at, step));
    out.failed = !reader.feed(*piece, [&](const SseEvent& event) {
      out.events.push_back(std::string(event.event) + "|" + std::string(event.data) + "|" + std::string(event.id) +
                           "|" + (event.retry_ms ? std::to_string(*event.retry_ms) : ""));
    });
  }
  out.last_id = reader.last_id();
  return out;
}

struct Case {
  std::string stream;
  std::vector<std::string> events;
};

const std::vector<Case>& cases() {
  using namespace std::string_literals;
  static const std::vector<Case> all = {
      {"data: a\n\n", {"message|a||"}},
      {"data:a\n\ndata:  b\n\n", {"message|a||", "message| b||"}},
      {"event: ping\ndata: a\ndata: b\ndata\ndata: c\n\n", {"ping|a\nb\n\nc||"}},
      {"data: a\r\n\r\ndata: b\r\rdata: c\n\n", {"message|a||", "message|b||", "message|c||"}},
      {"data: a\r\ndata: b\rdata: c\n\r\n", {"message|a\nb\nc||"}},
      {"\r\n\r\ndata: a\n\n\n\n", {"message|a||"}},
      {"\xef\xbb\xbf"
       "data: a\n\n",
       {"message|a||"}},
      {"\xef\xbb"
       "data: a\n\ndata: b\n\n",
       {"message|b||"}},
      {"data: a\n\n\xef\xbb\xbf"
       "data: b\n\n",
       {"message|a||"}},
      {":comment\n\n: more\r\ndata: a\n:\ndata: b\n\n", {"message|a\nb||"}},
      {"id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n", {"message|a|1|", "message|b|1|", "message|c||"}},
      {"id: 1\0x\ndata: a\n\n"s, {"message|a||"}},
      {"id: 7\n\ndata: a\n\n", {"message|a|7|"}},
      {"retry: 250\ndata: a\n\ndata: b\n\n", {"message|a||250", "message|b||"}},
      {"retry: 2x\ndata: a\n\nretry:\ndata: b\n\nretry: 0\ndata: c\n\n",
       {"message|a||", "message|b||", "message|c||0"}},
      {"event: x\n\ndata: a\n\n", {"message|a||"}},
      {"event\ndata\n\n", {"message|||"}},
      {"unknown: x\nData: x\ndatax\n data: y\ndata: a\n\n", {"message|a||"}},
      {"data: a: b:c\n\n", {"message|a: b:c||"}},
      {"data: a", {}},
      {"data: a\n", {}},
      {"", {}},
  };
  return all;
}

}  // namespace

TEST_CASE("event streams are read as the standard says, however they are cut") {
  for (const Case& one : cases()) {
    CAPTURE(one.stream);
    const Outcome whole = read(one.stream, one.stream.size() + 1);
    CHECK(whole.events == one.events);
    for (size_t step = 1; step < one.stream.size(); ++step) {
      CAPTURE(step);
      CHECK(read(one.stream, step) == whole);
    }
  }
}

TEST_CASE("an id takes effect at the end of its block") {
  SseReader reader;
  const auto ignore = [](const SseEvent&) { FAIL("no event was sent"); };
  REQUIRE(reader.feed("id: 5\nretry: 9\n", ignore));
  CHECK(reader.last_id().empty());
  CHECK(reader.retry_ms() == 9);
  REQUIRE(reader.feed("\n", ignore));
  CHECK(reader.last_id() == "5");
}

TEST_CASE("events are bounded, comments and blank lines are not events") {
  const std::string fits = "data: " + std::string(94, 'x') + "\n\n";
  const std::string too_large = "data: " + std::string(95, 'x') + "\n\n";
  for (size_t step : {size_t{1}, size_t{7}, size_t{1000}}) {
    CAPTURE(step);
    CHECK(read(fits + fits, step, 100).events.size() == 2);
    CHECK(read(fits + too_large, step, 100).failed);
    CHECK(read(fits + too_large, step, 100).events.size() == 1);
    CHECK(read(std::string(101, 'x'), step, 100).failed);
    CHECK_FALSE(read(":" + std::string(5000, 'x') + "\n" + fits, step, 100).failed);
    std::string lines;
    for (int i = 0; i < 30; ++i)
      lines += "data\n";
    CHECK(read(lines, step, 100).failed);
  }
  SseReader reader(100);
  const auto ignore = [](const SseEvent&) {};
  std::string blank(100'000, '\n');
  for (int i = 0; i < 10; ++i)
    REQUIRE(reader.feed(blank, ignore));
  CHECK_FALSE(reader.feed(too_large, ignore));
  const auto after = reader.feed(fits, ignore);
  REQUIRE_FALSE(after);
  CHECK(after.error().status == Status::protocol);
}
