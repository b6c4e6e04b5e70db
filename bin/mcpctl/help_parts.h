// What help, docs/cli.md and the manual pages say alike.
#pragma once
#include <string>
#include <vector>

#include "command.h"

namespace mcpctl {

struct Named {
  const char* name;
  const char* help;
};

const char* program_introduction();
const std::vector<Named>& environment_rows();
std::vector<Named> help_topics();
// "" when there is no such topic.
std::string topic_text(const CommandTable& table, std::string_view name);
std::string command_usage(const Command& command);  // "mcpctl get RESOURCE [NAME…] [flags]"
std::string flag_spelling(const Flag& flag);        // "-o, --output table|wide|…"
std::string flag_meaning(const Flag& flag);
// Flags of the command itself, or those that every command has; not the hidden ones.
std::vector<Flag> visible_flags(const Command& command, bool own);
const std::vector<ExitCode>& exit_codes_of(const Command& command);

}  // namespace mcpctl
