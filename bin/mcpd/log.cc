#include "log.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <string>

namespace mcpd {
namespace {

constexpr std::array<std::string_view, 4> kNames{"DEBUG ", "INFO ", "WARNING ", "ERROR "};
constexpr size_t kLineBytes = 4000;  // below PIPE_BUF: a pipe takes the line whole
std::atomic<int32_t> minimum_level{static_cast<int32_t>(Level::info)};

}  // namespace

void set_log_level(Level minimum) { minimum_level.store(static_cast<int32_t>(minimum), std::memory_order_relaxed); }

void log(Level level, std::string_view line) noexcept {
  const auto index = std::clamp(static_cast<int32_t>(level), 0, static_cast<int32_t>(kNames.size()) - 1);
  if (index < minimum_level.load(std::memory_order_relaxed)) return;
  std::array<char, kLineBytes + 16> text;
  const std::string_view name = kNames[static_cast<size_t>(index)];
  auto* end = std::copy(name.begin(), name.end(), text.data());
  for (char c : line.substr(0, kLineBytes)) {
    const auto byte = static_cast<unsigned char>(c);
    *end++ = byte < 0x20 || byte == 0x7f ? ' ' : c;
  }
  *end++ = '\n';
  [[maybe_unused]] auto written = ::write(STDERR_FILENO, text.data(), static_cast<size_t>(end - text.data()));
}

void log_from_library(void*, int32_t level, const char* line) noexcept { log(static_cast<Level>(level), line); }

}  // namespace mcpd
