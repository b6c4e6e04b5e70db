// Lines for people on stderr: "LEVEL message".
#pragma once

#include <cstdint>
#include <string_view>

namespace mcpd {

enum class Level : int32_t { debug = 0, info = 1, warning = 2, error = 3 };

// Lines below this level are dropped. Any thread.
void set_log_level(Level minimum);
// One write(2) a line, so that lines of several threads do not mix; control bytes become spaces. Any thread.
void log(Level level, std::string_view line) noexcept;
// The same as the library's log callback.
void log_from_library(void* user_data, int32_t level, const char* line) noexcept;

// Lets one line pass per period, so that a condition which recurs with every connection cannot flood the log.
class LogGate {
 public:
  explicit LogGate(int64_t period_ms) : period_ms_(period_ms) {}
  bool open(int64_t now_ms) {
    if (now_ms < next_ms_) return false;
    next_ms_ = now_ms + period_ms_;
    return true;
  }

 private:
  int64_t period_ms_;
  int64_t next_ms_ = 0;
};

}  // namespace mcpd
