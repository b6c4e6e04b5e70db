#include "gateway/server_log.h"

namespace mcptoken::gateway {
namespace {

constexpr int64_t kPeriodMs = 10'000;
constexpr int kMost = 20;  // in a period

struct Period {
  int64_t began_ms = 0;
  int lines = 0;
  int64_t left_out = 0;
};

}  // namespace

Log server_log(Log all, const Clock& clock, std::shared_ptr<const Redactor> hides) {
  auto period = std::make_shared<Period>();
  return Log(
      [all = std::move(all), &clock, hides = std::move(hides), period](LogLevel level, std::string_view line) {
        if (!all.enabled(level)) return;
        const int64_t now_ms = clock.mono_ms();
        if (period->lines == 0 || now_ms - period->began_ms >= kPeriodMs) {
          const int64_t left_out = period->left_out;
          *period = {now_ms};
          if (left_out > 0) all.write(level, "a server has caused " + std::to_string(left_out) + " lines more, which were left out");
        }
        if (++period->lines > kMost) {
          ++period->left_out;
          return;
        }
        all.write(level, hides->apply(std::string(line)));
        if (period->lines == kMost) all.write(level, "what else this server causes is left out for up to 10 s");
      },
      LogLevel::debug);
}

}  // namespace mcptoken::gateway
