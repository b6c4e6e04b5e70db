#include "base/time_text.h"

#include <doctest/doctest.h>

using namespace mcptoken;

TEST_CASE("instants round trip") {
  for (int64_t ms : {0LL, 1LL, 951782399999LL, 1785231000123LL, 4102444800000LL}) CHECK(from_iso8601(to_iso8601(ms)) == ms);
  CHECK(to_iso8601(951782400000) == "2000-02-29T00:00:00.000Z");
}

TEST_CASE("zones, fractions, and what is refused") {
  CHECK(from_iso8601("2026-07-28T09:30Z") == from_iso8601("2026-07-28T11:30:00+02:00"));
  CHECK(from_iso8601("2026-07-28T09:30:00.5Z") == *from_iso8601("2026-07-28T09:30:00Z") + 500);
  for (std::string_view bad : {"2026-07-28T09:30:00", "2026-02-30T00:00Z", "2026-13-01T00:00Z", "2026-07-28", "2026-07-28T24:00Z",
                               "2026-07-28T09:30:00Z ", "2026-7-28T09:30Z", "2026-07-28T09:30:00.Z", "2026-07-28 09:30Z"}) {
    CHECK_FALSE(from_iso8601(bad));
  }
}
