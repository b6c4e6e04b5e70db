// Time comes in through this interface, never from a call in the middle of logic: expiry is testable without sleeping.
#pragma once

#include <cstdint>

namespace mcptoken {

class Clock {
 public:
  virtual ~Clock() = default;
  // Milliseconds since 1970-01-01T00:00Z: for expiry and timestamps that are stored or shown.
  virtual int64_t wall_ms() const = 0;
  // Monotonic milliseconds from an arbitrary start: for cache lifetimes, deadlines and durations.
  virtual int64_t mono_ms() const = 0;
};

// The machine's clocks. Thread-safe, lives for ever.
const Clock& system_clock();

}  // namespace mcptoken
