#include "json/number.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace mcptoken::json;

TEST_CASE("complete numbers") {
  for (std::string_view text :
       {"0", "-0", "10", "-1", "0.0", "1.50", "1e0", "1E+10", "-1.5e-9999", "12345678901234567890123456789012"}) {
    CAPTURE(text);
    CHECK(is_number(text));
  }
  for (std::string_view text : {"", "-", "+1", "01", "-01", ".5", "1.", "1.e1", "1e", "1e+", "1e1.0", "0x1", "1 ", " 1",
                                "NaN", "Infinity", "1e10000", "123456789012345678901234567890123", "1,2"}) {
    CAPTURE(text);
    CHECK_FALSE(is_number(text));
  }
}

TEST_CASE("scanning stops after the longest number and never reads beyond the end") {
  const std::vector<char> text = {'1', '2', '.', '5', 'e', '1'};
  const NumberScan whole = scan_number(text.data(), text.data() + text.size());
  CHECK(whole.fault == NumberFault::none);
  CHECK(whole.end == text.data() + 6);
  const size_t expected_end[] = {0, 1, 2, 3, 4, 5};
  const NumberFault expected[] = {NumberFault::grammar, NumberFault::none, NumberFault::none,
                                  NumberFault::grammar, NumberFault::none, NumberFault::grammar};
  for (size_t size = 0; size < 6; ++size) {
    const std::vector<char> part(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size));
    const NumberScan scan = scan_number(part.data(), part.data() + size);
    CHECK(scan.fault == expected[size]);
    CHECK(scan.end == part.data() + expected_end[size]);
  }
  const std::string zeros = "007";
  CHECK(scan_number(zeros.data(), zeros.data() + 3).end == zeros.data() + 1);
}
