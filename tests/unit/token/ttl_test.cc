#include <doctest/doctest.h>

#include "base/time_text.h"
#include "token/token.h"

using namespace mcptoken;
using namespace mcptoken::token;

namespace {

constexpr int64_t kNow = 1'785'231'000'000;
// The instant, or 0 for never and -1 for an error.
int64_t instant(std::string_view text, int64_t now = kNow) {
  auto ttl = parse_ttl(text, now);
  return ttl ? ttl->value_or(0) : -1;
}

constexpr int64_t kMinute = 60'000, kHour = 60 * kMinute, kDay = 24 * kHour;

}  // namespace

TEST_CASE("durations") {
  struct Row {
    std::string_view text;
    int64_t ms;
  };
  for (Row row : {Row{"30d", 30 * kDay}, Row{"12h", 12 * kHour}, Row{"45m", 45 * kMinute}, Row{"2w", 14 * kDay},
                  Row{"1m", kMinute}, Row{"1000000h", 1'000'000 * kHour}}) {
    CAPTURE(row.text);
    CHECK(parse_duration(row.text) == row.ms);
    CHECK(instant(row.text) == kNow + row.ms);
  }
}

TEST_CASE("BR-37 lifetimes that are refused") {
  for (std::string_view bad : {"",
                               "0d",
                               "0m",
                               "-1d",
                               "+1d",
                               "1",
                               "d",
                               "30",
                               "30s",
                               "30y",
                               "30ms",
                               "30D",
                               "30 d",
                               " 30d",
                               "30d ",
                               "1.5h",
                               "1h30m",
                               "030d",
                               "00d",
                               "1e3d",
                               "0x10d",
                               "9223372036854775807m",
                               "9223372036854775808m",
                               "153722867280913m",
                               "99999999999999999999999d",
                               "4000000000w",
                               "Never",
                               "NEVER",
                               "never ",
                               "forever",
                               "30\xc2\xa0"
                               "d",
                               "\xef\xbc\x93"
                               "d"}) {
    CAPTURE(bad);
    auto ttl = parse_ttl(bad, kNow);
    REQUIRE_FALSE(ttl);
    CHECK(ttl.error().status == Status::invalid);
    CHECK_FALSE(ttl.error().hint.empty());
    CHECK_FALSE(parse_duration(bad));
  }
  CHECK_FALSE(parse_duration("never"));
  CHECK_FALSE(parse_duration("2030-01-01T00:00Z"));
}

TEST_CASE("the message says what was wrong") {
  CHECK(parse_duration("-1d").error().message == "a duration cannot be negative");
  CHECK(parse_duration("0d").error().message == "the duration is zero");
  CHECK(parse_duration("30s").error().message == "a duration ends in one of the units m, h, d, w");
  CHECK(parse_ttl("2026-07-28T09:30:00", kNow).error().message == "not an ISO-8601 instant with a zone");
}

TEST_CASE("never, and instants in the future") {
  CHECK(instant("never") == 0);
  CHECK(instant(to_iso8601(kNow + 1)) == kNow + 1);
  CHECK(instant("2030-01-31T12:00:00+02:00") == from_iso8601("2030-01-31T10:00:00Z"));
}

TEST_CASE("BR-37 instants that are refused: past, now, without a zone, impossible") {
  CHECK_FALSE(parse_ttl(to_iso8601(kNow), kNow));
  CHECK_FALSE(parse_ttl(to_iso8601(kNow - 1), kNow));
  for (std::string_view bad :
       {"2030-01-31T12:00:00", "2030-02-30T12:00Z", "1969-12-31T23:59Z", "2030-01-31", "2030-01-31T24:00Z", ":"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_ttl(bad, kNow));
  }
}

TEST_CASE("no lifetime passes the last instant that can be shown") {
  int64_t last = *from_iso8601("9999-12-31T23:59:59.999Z");
  CHECK(instant("1m", last - kMinute) == last);
  CHECK_FALSE(parse_ttl("1m", last - kMinute + 1));
  CHECK_FALSE(parse_ttl("1m", INT64_MAX - 1));
}
