// A file system without the gateway's own secrets: a Landlock rule set that allows everything but the hidden paths.
//
// Landlock only knows "allow beneath", so the rules name every entry beside the way to a hidden path: for
// /var/lib/mcpd that is all of / but var, all of /var but lib, all of /var/lib but mcpd. What follows from it:
//  1. Directories on the way (/, /var, /var/lib) can be passed but not listed, and nothing can be created or removed
//     directly in them. So give data a directory of its own, not a home or temporary directory that children use.
//  2. Entries that appear in them later are hidden too, until the next child starts.
//  3. A hidden path need not exist yet. Symbolic links in it are resolved first. A second mount of it is not seen.
//  4. Against a child that is root it is a hurdle, not a wall: raw devices and /proc/<pid>/environ stay open to root.
// The domain also shields the gateway from its children: no tracing, no look into its memory and descriptors, no
// signals (kernel 6.12).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/result.h"
#include "loop/fd.h"

namespace mcptoken::loop {

class Sandbox {
 public:
  // The version of the kernel's Landlock interface; 0: none (not built in, or not enabled at boot).
  static int abi();

  // Paths must be absolute; hiding "/" or nothing is `invalid`. `not_supported` when the kernel lacks Landlock, `limit`
  // with more than limits::kSandboxRules entries beside the hidden paths.
  static Result<Sandbox> hide(const std::vector<std::string>& paths);

  int fd() const { return rules_.get(); }
  Fd take() && { return std::move(rules_); }
  size_t rules() const { return count_; }

  // Puts the calling thread and what it starts inside, for ever. Needs no-new-privs. Async-signal-safe; 0 or an errno.
  static int enter(int fd) noexcept;

 private:
  Sandbox(Fd rules, size_t count) : rules_(std::move(rules)), count_(count) {}
  Fd rules_;
  size_t count_;
};

}  // namespace mcptoken::loop
