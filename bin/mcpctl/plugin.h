// A program mcpctl-foo on PATH is the command `mcpctl foo`; what is built in always wins.
#pragma once
#include <string>
#include <vector>

#include "command.h"
#include "settings.h"

namespace mcpctl {

struct Plugin {
  std::string program;                 // its path
  std::vector<std::string> arguments;  // the words behind its name
};
// The plugin that `words` name, the longest name first: "foo bar" is mcpctl-foo-bar before it is mcpctl-foo with an
// argument.
std::optional<Plugin> find_plugin(const CommandTable& table, const std::vector<std::string>& words,
                                  const Environment& environment);
// Becomes the plugin; returns only to say why it could not.
Failure run_plugin(const Plugin& plugin);

}  // namespace mcpctl
