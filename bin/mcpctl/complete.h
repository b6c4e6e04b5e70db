// Completion of a command line that is being written: pure but for the callback that knows names.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "command.h"

namespace mcpctl {

struct Candidate {
  std::string text;
  std::string help;  // may be empty
};

struct Candidates {
  std::vector<Candidate> items;
  bool files = false;     // the shell's own file names, in place of items
  bool no_space = false;  // what is chosen goes on: "server/"
};

// What a name is asked of: an object's kind, with what the line says so far about server and project.
struct NameQuestion {
  const Kind* kind = nullptr;  // null: contexts of the configuration file
  Invocation line;             // flags alone
};
using Names = std::function<std::vector<std::string>(const NameQuestion&)>;

// `words` without the program's name; the last one is being written and may be empty. Nothing that is wrong with the
// line is a failure here: there is just nothing to offer.
Candidates complete(const CommandTable& table, const Kinds& kinds, const std::vector<std::string>& words,
                    const Names& names);

}  // namespace mcpctl
