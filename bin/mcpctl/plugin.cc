#include "plugin.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace mcpctl {
namespace {

bool is_built_in(const CommandTable& table, const std::string& word) {
  for (const Command& command : table.all()) {
    if (command.path.substr(0, command.path.find(' ')) == word) return true;
    for (const std::string& alias : command.aliases) {
      if (command.path.find(' ') == std::string::npos && alias == word) return true;
    }
  }
  return table.branch(word) != nullptr;
}

bool is_name(const std::string& word) {
  return !word.empty() && word[0] != '-' && word.find('/') == std::string::npos && word[0] != '_';
}

std::optional<std::string> on_path(const std::string& name, const std::string& path) {
  for (const std::string& folder : split(path, ':')) {
    if (folder.empty() || folder[0] != '/') continue;  // never from where one happens to stand
    const std::string program = folder + "/" + name;
    struct stat info {};
    if (::stat(program.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(program.c_str(), X_OK) == 0)
      return program;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Plugin> find_plugin(const CommandTable& table, const std::vector<std::string>& words,
                                  const Environment& environment) {
  if (words.empty() || !is_name(words[0]) || is_built_in(table, words[0])) return std::nullopt;
  size_t most = 0;
  while (most < words.size() && is_name(words[most]))
    ++most;
  for (size_t count = most; count > 0; --count) {
    std::string name = "mcpctl";
    for (size_t i = 0; i < count; ++i)
      name += "-" + words[i];
    const auto program = on_path(name, environment("PATH").value_or(""));
    if (program) return Plugin{*program, {words.begin() + static_cast<std::ptrdiff_t>(count), words.end()}};
  }
  return std::nullopt;
}

Failure run_plugin(const Plugin& plugin) {
  std::vector<char*> arguments = {const_cast<char*>(plugin.program.c_str())};
  for (const std::string& one : plugin.arguments)
    arguments.push_back(const_cast<char*>(one.c_str()));
  arguments.push_back(nullptr);
  ::signal(SIGPIPE, SIG_DFL);  // what is ignored stays ignored in a new program
  ::execv(plugin.program.c_str(), arguments.data());
  return {kExitFailed, "cannot run " + plugin.program, std::strerror(errno), {}, {}};
}

}  // namespace mcpctl
