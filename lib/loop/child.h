// A child process that talks in lines: a stdio MCP server. One misbehaving child (a flood, an endless line, a full
// pipe) costs bounded memory and ends alone.
//
//   auto task = Child::start(loop, spec, callbacks, log, scope);
//   auto child = co_await task;
//   (*child)->write(R"({"jsonrpc":"2.0",…})");   …   (*child)->stop();
//
// Invariants:
//  1. Everything but the start itself happens on the loop's thread; the loop outlives the Child. The kernel kills the child
//     when the thread that has started it ends, which is the loop's starter.
//  2. Callbacks come from the loop's turns, never from inside start(), write() or stop(). Each may destroy the Child.
//  3. on_exit comes once, as the last one, after every line that was still in the pipes. When it comes the whole
//     process group has been killed, grandchildren included (but not those that left the group by setsid).
//  4. Destruction kills the group at once; no zombie stays behind. It does not block for longer than limits::kReapMs.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/result.h"
#include "loop/child_exec.h"
#include "loop/line_reader.h"
#include "loop/loop.h"
#include "loop/task.h"

namespace mcptoken::loop {

struct ChildExit {
  int code = -1;       // when it exited by itself
  int signal = 0;      // when a signal ended it; code and signal both unset: somebody else collected the status
  std::string reason;  // why we ended it: "stopped", "a line on stdout exceeds …"; empty: its own doing

  std::string text() const;  // "exit code 3", "killed by signal 9 (Killed), stopped", …
};

struct ChildCallbacks {
  Function<void(std::string line)> on_line;       // stdout, without the newline; any bytes, not necessarily JSON
  Function<void(std::string_view line)> on_log;   // stderr, lines split at limits::kStderrLineBytes
  Function<void(const ChildExit& exit)> on_exit;
};

class Child {
 public:
  // Resolves when the program runs, usually after a millisecond, or with why it does not, at most after limits::kExecMs. The
  // loop goes on meanwhile: its starter does the work. The memory of spec.env is wiped.
  static Task<Result<std::unique_ptr<Child>>> start(Loop& loop, ChildSpec spec, ChildCallbacks callbacks, Log log, Scope& scope);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Queues one message; the newline is added here, one inside is `invalid`. `limit` when the child does not read its
  // stdin and limits::kStdioQueueBytes are waiting, `too_large` when the line alone exceeds that; `unavailable` when it
  // has closed its stdin, was stopped or is gone. Success does not mean that the child has read it.
  Result<void> write(std::string line);
  size_t queued_bytes() const { return queued_bytes_; }

  // Closes stdin once what is queued has been written, then TERM, then KILL to the group. Idempotent.
  void stop();
  // KILL to the group now.
  void kill(std::string reason);

  // Resumes when the child is gone; one waiter. After on_exit.
  auto wait_exit(Scope& scope) { return done_.wait(scope); }
  const std::optional<ChildExit>& exited() const { return exit_; }
  pid_t pid() const { return process_.pid; }  // for messages; may be another process once exited() is set

 private:
  class Visit;

  Child(Loop& loop, Process process, const ChildSpec& spec, ChildCallbacks callbacks);
  Result<void> watch_all();
  void flush();
  void wait_writable(bool wanted);
  void close_stdin();
  ssize_t fill(const Fd& fd, LineReader& reader);
  bool deliver_lines(bool at_end);
  bool deliver_log(bool at_end);
  void on_stdout();
  void on_stderr();
  void on_pidfd();
  bool drain(const Fd& fd, LineReader& reader, bool (Child::*deliver)(bool));
  void signal_group(int number, std::string reason);
  bool collect();

  Loop& loop_;
  Process process_;
  ChildCallbacks callbacks_;
  const int64_t term_after_ms_, kill_after_ms_;

  std::deque<std::string> queue_;
  size_t queued_bytes_ = 0;
  size_t written_ = 0;  // of the first in the queue
  bool writable_wanted_ = false;
  LineReader lines_{limits::kStdioLineBytes, LineReader::LongLine::refuse};
  LineReader log_lines_{limits::kStderrLineBytes, LineReader::LongLine::split};

  bool stopping_ = false;
  std::string reason_;
  std::optional<ChildExit> exit_;
  Completion<ChildExit> done_;
  Visit* visit_ = nullptr;
  Timer stop_timer_;
  Watch exit_watch_, in_watch_, out_watch_, err_watch_;
};

}  // namespace mcptoken::loop
