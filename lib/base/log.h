// Diagnostics go to one sink given by the host; the library itself never writes to stderr. Every line passes through the
// redactor, so that a credential in a text that came from outside cannot reach a log.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace mcptoken {

enum class LogLevel { debug = 0, info = 1, warn = 2, error = 3 };

// Replaces what looks like one of our credentials (mcpctl_pat_…, mcpctl_ses_…, mcpctl_wat_…) by its prefix and "[redacted]".
std::string redact(std::string_view text);

// Thread-safe when the sink is; the sink must not throw.
class Log {
 public:
  using Sink = std::function<void(LogLevel level, std::string_view line)>;
  Log() = default;
  explicit Log(Sink sink, LogLevel minimum = LogLevel::info) : sink_(std::move(sink)), minimum_(minimum) {}

  bool enabled(LogLevel level) const { return sink_ && level >= minimum_; }
  void write(LogLevel level, std::string_view line) const {
    if (enabled(level)) sink_(level, redact(line));
  }
  void debug(std::string_view line) const { write(LogLevel::debug, line); }
  void info(std::string_view line) const { write(LogLevel::info, line); }
  void warn(std::string_view line) const { write(LogLevel::warn, line); }
  void error(std::string_view line) const { write(LogLevel::error, line); }

 private:
  Sink sink_;
  LogLevel minimum_ = LogLevel::info;
};

}  // namespace mcptoken
