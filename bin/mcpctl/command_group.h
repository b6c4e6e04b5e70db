// The command table comes in groups: a file of rows each, a heading of the help page each.
#pragma once
#include <string>
#include <vector>

#include "command.h"

namespace mcpctl {

// The table fills in the group of every row.
struct CommandGroup {
  std::string title;
  std::vector<Branch> branches = {};
  std::vector<Command> commands = {};
};

CommandGroup basic_commands(const Kinds& kinds);
CommandGroup token_commands(const Kinds& kinds);
CommandGroup access_commands(const Kinds& kinds);
CommandGroup observe_commands(const Kinds& kinds);
CommandGroup connect_commands(const Kinds& kinds);
CommandGroup admin_commands(const Kinds& kinds);
CommandGroup shell_commands(const Kinds& kinds);

inline const Flag kPasswordStdin{
    .name = "password-stdin", .help = "read the password from standard input", .type = FlagType::kBoolean};

}  // namespace mcpctl
