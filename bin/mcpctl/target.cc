#include "target.h"

namespace mcpctl {

Result<Target> target_of(const Kinds& kinds, const Invocation& invocation, const char* verb) {
  std::string word = invocation.arguments.front();
  Target target{nullptr, {invocation.arguments.begin() + 1, invocation.arguments.end()}};
  if (const size_t slash = word.find('/'); slash != std::string::npos) {
    target.names.insert(target.names.begin(), word.substr(slash + 1));
    word.resize(slash);
  }
  MCPCTL_TRY(target.kind, kinds.require(word, verb));
  for (std::string& name : target.names) {
    // server/a server/b
    if (const size_t slash = name.find('/'); slash != std::string::npos) {
      if (kinds.find(name.substr(0, slash)) != target.kind)
        return usage_failure("\"" + name + "\" is no " + target.kind->name, "one kind at a time");
      name.erase(0, slash + 1);
    }
    if (name.empty()) return usage_failure("a name is empty");
  }
  return target;
}

Result<Target> one_target_of(const Kinds& kinds, const Invocation& invocation, const char* verb) {
  MCPCTL_TRY(Target target, target_of(kinds, invocation, verb));
  const std::string help = "see: mcpctl " + invocation.command->path + " --help";
  if (target.names.empty()) return usage_failure("NAME is missing", help);
  if (target.names.size() > 1) return usage_failure("too many arguments: \"" + target.names[1] + "\"", help);
  return target;
}

}  // namespace mcpctl
