#include "base/clock.h"

#include <ctime>

namespace mcptoken {
namespace {

int64_t read_ms(clockid_t id) {
  timespec ts{};
  clock_gettime(id, &ts);
  return int64_t{ts.tv_sec} * 1000 + ts.tv_nsec / 1'000'000;
}

class SystemClock final : public Clock {
 public:
  int64_t wall_ms() const override { return read_ms(CLOCK_REALTIME); }
  int64_t mono_ms() const override { return read_ms(CLOCK_MONOTONIC); }
};

}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

}  // namespace mcptoken
