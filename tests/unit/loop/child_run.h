// Runs one child on a loop of its own and remembers what it said.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "loop/child.h"

// Whether a process that may be nobody's child here has ended. One that init has yet to collect counts as ended.
inline bool ended(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  if (!std::getline(stat, text)) return true;
  return text.compare(text.rfind(')'), 3, ") Z") == 0;
}
inline bool ends_within(pid_t pid, int ms) {
  for (int i = 0; i < ms && !ended(pid); ++i) usleep(1000);
  return ended(pid);
}

using Started = mcptoken::Result<std::unique_ptr<mcptoken::loop::Child>>;

// A start that is under way; its end waits for nobody.
inline mcptoken::loop::Task<mcptoken::Result<void>> start_child(mcptoken::loop::Loop& loop, mcptoken::loop::ChildSpec spec,
                                                                mcptoken::loop::ChildCallbacks callbacks, mcptoken::Log log,
                                                                mcptoken::loop::Scope& scope, std::optional<Started>& out) {
  auto task = mcptoken::loop::Child::start(loop, std::move(spec), std::move(callbacks), std::move(log), scope);
  out = co_await task;
  co_return mcptoken::Result<void>();
}

// Turns the loop until the start has come to its end.
inline Started started(mcptoken::loop::Loop& loop, mcptoken::loop::ChildSpec spec, mcptoken::loop::ChildCallbacks callbacks,
                       const mcptoken::Log& log = mcptoken::Log()) {
  std::optional<Started> out;
  mcptoken::loop::Group group;
  group.spawn(start_child(loop, std::move(spec), std::move(callbacks), log, group.scope(), out));
  for (; !out; usleep(100)) loop.run_once();
  return *std::move(out);
}

class ChildRun {
 public:
  ChildRun() : loop(std::move(mcptoken::loop::Loop::create()).value()) {}

  static mcptoken::loop::ChildSpec sh(const std::string& script) {
    mcptoken::loop::ChildSpec spec;
    spec.argv = {"sh", "-c", script};
    spec.env = {"PATH=/usr/bin:/bin"};
    return spec;
  }
  mcptoken::Result<void> start(mcptoken::loop::ChildSpec spec, const mcptoken::Log& log = mcptoken::Log()) {
    mcptoken::loop::ChildCallbacks callbacks;
    callbacks.on_line = [this](std::string line) {
      if (exit) after_exit = true;
      if (keep_lines) lines.push_back(std::move(line));
      ++line_count;
      if (!wanted_line.empty() && !lines.empty() && lines.back() == wanted_line) loop->stop();
    };
    callbacks.on_log = [this](std::string_view line) {
      if (exit) after_exit = true;
      logs.emplace_back(line);
    };
    callbacks.on_exit = [this](const mcptoken::loop::ChildExit& how) {
      REQUIRE_FALSE(exit);
      exit = how;
      loop->stop();
    };
    MCPT_TRY(child, started(*loop, std::move(spec), std::move(callbacks), log));
    return {};
  }
  void until_exit() {
    turn_until_stopped();
    REQUIRE(exit);
    CHECK_FALSE(after_exit);
  }
  void until_line(const std::string& line) {
    wanted_line = line;
    turn_until_stopped();
    REQUIRE_FALSE(lines.empty());
    REQUIRE(lines.back() == line);
    wanted_line.clear();
  }
  void turn_for(int ms) {
    mcptoken::loop::Timer timer(*loop);
    timer.start(ms, [this] { loop->stop(); });
    loop->run();
  }

  std::unique_ptr<mcptoken::loop::Loop> loop;
  std::vector<std::string> lines, logs;
  size_t line_count = 0;
  bool keep_lines = true;
  bool after_exit = false;
  std::optional<mcptoken::loop::ChildExit> exit;
  std::string wanted_line;
  std::unique_ptr<mcptoken::loop::Child> child;

 private:
  void turn_until_stopped() {
    bool late = false;
    mcptoken::loop::Timer limit(*loop);
    limit.start(60'000, [this, &late] { late = true; loop->stop(); });
    loop->run();
    REQUIRE_FALSE(late);
  }
};
