// Starting a program: everything between a description of it and a running process. loop/child.h is what callers use.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/result.h"
#include "loop/fd.h"

namespace mcptoken::loop {

struct ChildLimits {
  uint64_t open_files = 4096;
  std::optional<uint64_t> address_space_bytes;  // Node and other runtimes reserve tens of GB: leave unset for them
  std::optional<uint64_t> processes;            // counted by the kernel per user, not per child
  std::optional<uint64_t> cpu_seconds;
};

struct ChildSpec {
  // The program and its arguments, never seen by a shell. A name without '/' is searched in the PATH of `env`, absolute
  // entries only; a relative path with '/' is relative to working_dir.
  std::vector<std::string> argv;
  // "NAME=value": the complete environment. Nothing is inherited.
  std::vector<std::string> env;
  std::string working_dir = "/";
  // Absolute paths the child must not see (loop/sandbox.h says what follows from it). Without Landlock in the kernel
  // the child starts with a warning in the log, or not at all when require_sandbox is set.
  std::vector<std::string> hidden_paths;
  bool require_sandbox = false;
  ChildLimits limits;
  // stop(): stdin closed, term_after_ms later TERM, kill_after_ms later KILL.
  int64_t term_after_ms = limits::kStopStepMs;
  int64_t kill_after_ms = limits::kStopStepMs;
};

struct Process {
  pid_t pid = -1;  // also the number of its process group
  Fd pidfd;
  Fd in, out, err;  // our ends of its stdin, stdout and stderr; non-blocking
};

// The file that would be executed. `not_found` names the directories that were searched; `denied` when it is there and
// may not be executed.
Result<std::string> find_program(const std::string& name, const std::vector<std::string>& env);

// Returns when the program runs (its exec succeeded) or why it does not. `ruleset_fd`: a Sandbox, or -1.
//  - The caller stands still until the exec; its memory is lent, not copied, so it takes as long in a large process as in a
//    small one. In between only async-signal-safe calls; all memory is prepared before.
//  - The child has descriptors 0, 1, 2 and no other; own process group; umask 077; default signals, none blocked; no
//    core dumps; no-new-privs.
//  - It is killed when the *thread* that calls this ends (PR_SET_PDEATHSIG is per thread).
//  - Linux 5.11 or newer. No signal handler is used or changed. A host that ignores SIGCHLD, or waits for any child,
//    may learn the exit status in our place: the end is noticed all the same, the status is unknown then.
Result<Process> spawn(const ChildSpec& spec, int ruleset_fd);

// Kills the group and collects the process; one that is not gone after limits::kReapMs is collected by a later spawn or
// put_down. Blocks no longer than that. Any thread.
void put_down(Process process);

}  // namespace mcptoken::loop
