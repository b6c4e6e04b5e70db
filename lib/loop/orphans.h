// What children leave behind: processes that have left their group and whose parent has ended. The kernel gives them to
// init, where nobody knows them any more, unless this process asks for them.
//
// Invariants:
//  1. A process that is started from here is known before anybody can look at it, until it is collected.
//  2. An orphan lives no longer than the child it came from: that one's mark is in its environment. One without a mark has
//     no child to belong to.
//  3. Nobody waits for a program that is on its way to its exec, which a slow file system can hold up: those who start others,
//     collect, or look for orphans.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"

namespace mcptoken::loop {

// From now on orphans come here (PR_SET_CHILD_SUBREAPER), for the life of the process. Every child that was not started
// by lib/loop is then taken for one: only for a program that starts none by other means.
Result<void> adopt_orphans();

// Ends orphans whose child has ended, and collects those that have ended by themselves. How many it has ended: what
// they had started comes to light after them, so ask again. Any thread.
size_t end_orphans();

// The same until none is left, or for so long: one that the kernel holds may not end.
void end_all_orphans(int64_t most_ms);

// A start, from before the fork to after the exec.
struct Start {
  std::string mark;           // the entry for the environment; "": none is needed
  std::atomic<pid_t> pid{0};  // for the child to say, before it does anything else, when its parent stands still meanwhile
};
// `start` returns the number, or -1.
pid_t start_known(const std::function<pid_t(Start& start)>& start);
// Collects a child that has ended. What waitid() says.
int collect_known(pid_t pid, int pidfd, siginfo_t& info);

}  // namespace mcptoken::loop
