#include "base/time_text.h"

#include <fmt/format.h>

#include "base/bytes.h"

namespace mcptoken {
namespace {

// Days since 1970-01-01 of a proleptic Gregorian date, and back (Howard Hinnant's era arithmetic).
int64_t days_from_civil(int64_t year, int64_t month, int64_t day) {
  year -= month <= 2;
  int64_t era = (year >= 0 ? year : year - 399) / 400;
  int64_t of_era = year - era * 400;
  int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct Civil { int64_t year, month, day; };

Civil civil_from_days(int64_t days) {
  days += 719468;
  int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  int64_t of_era = days - era * 146097;
  int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t shifted = (5 * of_year + 2) / 153;
  int64_t month = shifted + (shifted < 10 ? 3 : -9);
  return {year_of_era + era * 400 + (month <= 2), month, of_year - (153 * shifted + 2) / 5 + 1};
}

int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

// Takes `width` digits off the front.
std::optional<int64_t> take_digits(std::string_view& text, size_t width) {
  if (text.size() < width) return std::nullopt;
  int64_t value = 0;
  for (char c : text.substr(0, width)) {
    if (!is_digit(c)) return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(width);
  return value;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<int64_t> take_fraction_ms(std::string_view& text) {
  int64_t ms = 0, scale = 100;
  size_t count = 0;
  while (!text.empty() && is_digit(text.front())) {
    ms += (text.front() - '0') * scale;
    scale /= 10;
    text.remove_prefix(1);
    if (++count > 9) return std::nullopt;
  }
  return count == 0 ? std::nullopt : std::optional(ms);
}

std::optional<int64_t> take_zone_minutes(std::string_view& text) {
  if (take(text, 'Z')) return 0;
  int64_t sign = take(text, '+') ? 1 : take(text, '-') ? -1 : 0;
  if (sign == 0) return std::nullopt;
  auto hours = take_digits(text, 2);
  if (!hours || *hours > 23 || !take(text, ':')) return std::nullopt;
  auto minutes = take_digits(text, 2);
  if (!minutes || *minutes > 59) return std::nullopt;
  return sign * (*hours * 60 + *minutes);
}

}  // namespace

std::string to_iso8601(int64_t wall_ms) {
  int64_t days = floor_div(wall_ms, 86'400'000);
  int64_t rest = wall_ms - days * 86'400'000;
  Civil date = civil_from_days(days);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", date.year, date.month, date.day, rest / 3'600'000,
                     rest / 60'000 % 60, rest / 1000 % 60, rest % 1000);
}

std::optional<int64_t> from_iso8601(std::string_view text) {
  auto year = take_digits(text, 4);
  if (!year || !take(text, '-')) return std::nullopt;
  auto month = take_digits(text, 2);
  if (!month || *month < 1 || *month > 12 || !take(text, '-')) return std::nullopt;
  auto day = take_digits(text, 2);
  if (!day || *day < 1 || !take(text, 'T')) return std::nullopt;
  int64_t days = days_from_civil(*year, *month, *day);
  if (civil_from_days(days).day != *day) return std::nullopt;  // 30 February
  auto hour = take_digits(text, 2);
  if (!hour || *hour > 23 || !take(text, ':')) return std::nullopt;
  auto minute = take_digits(text, 2);
  if (!minute || *minute > 59) return std::nullopt;
  int64_t second = 0, fraction = 0;
  if (take(text, ':')) {
    auto seconds = take_digits(text, 2);
    if (!seconds || *seconds > 59) return std::nullopt;
    second = *seconds;
    if (take(text, '.')) {
      auto ms = take_fraction_ms(text);
      if (!ms) return std::nullopt;
      fraction = *ms;
    }
  }
  auto zone = take_zone_minutes(text);
  if (!zone || !text.empty()) return std::nullopt;
  return ((days * 24 + *hour) * 60 + *minute - *zone) * 60'000 + second * 1000 + fraction;
}

}  // namespace mcptoken
