// What every verb gets: the tables, the environment, and the settings of this run.
#pragma once
#include <cstdint>

#include "command.h"
#include "settings.h"

namespace mcpctl {

class Application {
 public:
  Application(const Kinds& kinds, const CommandTable& table, Environment environment)
      : kinds_(kinds), table_(table), environment_(std::move(environment)) {}

  const Kinds& kinds() const { return kinds_; }
  const CommandTable& table() const { return table_; }
  const Environment& environment() const { return environment_; }
  Result<Settings> settings(const Invocation& invocation) const { return load_settings(invocation, environment_); }

 private:
  const Kinds& kinds_;
  const CommandTable& table_;
  Environment environment_;
};

int64_t wall_clock_ms();

inline Look look_of(const Settings& settings) {
  return {settings.format, settings.headers, wall_clock_ms(), settings.expression};
}
// Whether the format is for people, so that one line says more than the object.
inline bool is_human(Format format) { return format == Format::kTable || format == Format::kWide; }

}  // namespace mcpctl
