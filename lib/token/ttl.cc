#include "base/bytes.h"
#include "base/time_text.h"
#include "token/token.h"

namespace mcptoken::token {
namespace {

struct Unit {
  char letter;
  int64_t ms;
};
constexpr Unit kUnits[] = {
    {'m', 60'000},
    {'h', 3'600'000},
    {'d', 86'400'000},
    {'w', 7 * 86'400'000LL},
};

// The last instant that has a four-digit year: later ones could be stored but neither shown nor read back.
constexpr int64_t kLastInstantMs = 253'402'300'799'999;

tl::unexpected<Error> refuse(const char* why) {
  return fail(Error(Status::invalid, why)
                  .with_hint("use 45m, 12h, 30d, 2w, never, or an instant such as 2030-01-31T12:00:00Z"));
}

}  // namespace

Result<int64_t> parse_duration(std::string_view text) {
  if (text.empty()) return refuse("the duration is empty");
  const Unit* unit = nullptr;
  for (const Unit& row : kUnits) {
    if (text.back() == row.letter) unit = &row;
  }
  if (unit == nullptr) return refuse("a duration ends in one of the units m, h, d, w");
  std::string_view digits = text.substr(0, text.size() - 1);
  if (digits.starts_with('-')) return refuse("a duration cannot be negative");
  for (char c : digits) {
    if (!is_digit(c)) return refuse("a duration is a whole number and one unit");
  }
  if (digits.empty() || (digits.size() > 1 && digits.front() == '0')) {
    return refuse("a duration is a whole number without leading zeros and one unit");
  }
  auto count = parse_decimal(digits);
  int64_t ms = 0;
  if (!count || __builtin_mul_overflow(*count, unit->ms, &ms) || ms > kLastInstantMs) {
    return refuse("the duration is too long");
  }
  if (ms == 0) return refuse("the duration is zero");
  return ms;
}

Result<std::optional<int64_t>> parse_ttl(std::string_view text, int64_t now_wall_ms) {
  if (text == "never") return std::optional<int64_t>();
  // An instant holds a ':', a duration never does.
  if (text.find(':') == std::string_view::npos) {
    MCPT_TRY(int64_t ms, parse_duration(text));
    int64_t expires = 0;
    if (__builtin_add_overflow(now_wall_ms, ms, &expires) || expires > kLastInstantMs) {
      return refuse("the lifetime ends after the year 9999");
    }
    return std::optional(expires);
  }
  auto instant = from_iso8601(text);
  if (!instant) return refuse("not an ISO-8601 instant with a zone");
  if (*instant <= now_wall_ms) return refuse("the instant is not in the future");
  return std::optional(*instant);
}

}  // namespace mcptoken::token
