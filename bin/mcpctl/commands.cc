// The command table, put together from its groups.
#include <algorithm>

#include "command.h"
#include "command_group.h"

namespace mcpctl {
namespace {

using MakeGroup = CommandGroup (*)(const Kinds& kinds);
// In the order of the help page.
constexpr MakeGroup kGroups[] = {basic_commands,   token_commands, access_commands, observe_commands,
                                 connect_commands, admin_commands, shell_commands};

}  // namespace

CommandTable::CommandTable(const Kinds& kinds) {
  for (const MakeGroup make : kGroups) {
    CommandGroup group = make(kinds);
    for (Branch& branch : group.branches) {
      branch.group = group.title;
      branches_.push_back(std::move(branch));
    }
    for (Command& command : group.commands) {
      command.group = group.title;
      commands_.push_back(std::move(command));
    }
  }
}

const std::vector<Flag>& CommandTable::common_flags() {
  static const std::vector<Flag> flags = {
      {.name = "output",
       .help = "format of the output",
       .choices = "table|wide|json|yaml|name|jsonpath=PATH|custom-columns=TITLE:PATH,…",
       .default_text = "table",
       .letter = 'o'},
      {.name = "no-headers", .help = "tables without the first line", .type = FlagType::kBoolean},
      {.name = "project",
       .placeholder = "NAME",
       .help = "project of tokens and other objects inside one",
       .letter = 'p',
       .completes = "project"},
      {.name = "mcpd-url",
       .placeholder = "URL",
       .help = "control plane",
       .default_text = "http://127.0.0.1:3100",
       .alias = "server"},
      {.name = "context",
       .placeholder = "NAME",
       .help = "entry of the configuration file to use",
       .completes = "context"},
      {.name = "debug",
       .help = "show requests and answers on standard error, without secrets",
       .type = FlagType::kBoolean},
      {.name = "color",
       .help = "colour of status words; otherwise NO_COLOR and CLICOLOR_FORCE decide",
       .type = FlagType::kEnum,
       .choices = "auto|always|never",
       .default_text = "auto"},
      {.name = "help", .help = "show help", .type = FlagType::kBoolean, .letter = 'h'},
  };
  return flags;
}

const std::vector<ExitCode>& CommandTable::common_exit_codes() {
  static const std::vector<ExitCode> codes = {{0, "done"},
                                              {1, "failed"},
                                              {4, "not logged in, or the server refused the credential"},
                                              {64, "the command line is wrong"},
                                              {130, "interrupted"}};
  return codes;
}

std::vector<Flag> CommandTable::flags_of(const Command& command) {
  std::vector<Flag> flags = command.flags;
  for (Flag common : common_flags()) {
    const bool formats = common.name == "output" || common.name == "no-headers";
    if (formats && !command.takes_format) continue;
    if (command.flag(common.name) != nullptr) continue;
    // `create project --server` attaches an MCP server; the control plane is --mcpd-url alone there.
    if (command.flag(common.alias) != nullptr) common.alias.clear();
    flags.push_back(std::move(common));
  }
  return flags;
}

const Flag* Command::flag(std::string_view wanted) const {
  const auto found = std::find_if(flags.begin(), flags.end(), [&](const Flag& f) { return f.name == wanted; });
  return found == flags.end() ? nullptr : &*found;
}

std::vector<const Command*> CommandTable::below(std::string_view path) const {
  std::vector<const Command*> found;
  const std::string prefix = std::string(path) + " ";
  for (const Command& command : commands_) {
    if (!command.hidden && command.path.compare(0, prefix.size(), prefix) == 0) found.push_back(&command);
  }
  return found;
}

const Command* CommandTable::find(std::string_view path) const {
  const auto found = std::find_if(commands_.begin(), commands_.end(), [&](const Command& c) { return c.path == path; });
  return found == commands_.end() ? nullptr : &*found;
}

const Branch* CommandTable::branch(std::string_view path) const {
  const auto found = std::find_if(branches_.begin(), branches_.end(), [&](const Branch& b) { return b.path == path; });
  return found == branches_.end() ? nullptr : &*found;
}

std::string Invocation::text(const std::string& flag) const {
  const auto found = flags.find(flag);
  return found == flags.end() || found->second.empty() ? std::string() : found->second.back();
}

std::vector<std::string> Invocation::all(const std::string& flag) const {
  const auto found = flags.find(flag);
  return found == flags.end() ? std::vector<std::string>() : found->second;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t at = text.find(separator);
    parts.emplace_back(text.substr(0, at));
    text = at == std::string_view::npos ? std::string_view() : text.substr(at + 1);
  }
  return parts;
}

}  // namespace mcpctl
