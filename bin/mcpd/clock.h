#pragma once

#include <cstdint>
#include <ctime>

namespace mcpd {

// Monotonic milliseconds, exact to a few: what deadlines need, at a fraction of the price of the exact clock.
inline int64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

}  // namespace mcpd
