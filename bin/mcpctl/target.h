// What a command line names: objects of one kind.
#pragma once
#include <string>
#include <vector>

#include "command.h"

namespace mcpctl {

struct Target {
  const Kind* kind;
  std::vector<std::string> names;
};

// "servers a b" or "server/a". `verb`: what the kind must allow, for a list of those that do.
Result<Target> target_of(const Kinds& kinds, const Invocation& invocation, const char* verb);
// The same where exactly one name is needed.
Result<Target> one_target_of(const Kinds& kinds, const Invocation& invocation, const char* verb);

}  // namespace mcpctl
