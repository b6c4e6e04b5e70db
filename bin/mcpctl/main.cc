#include <clocale>

#include "application.h"
#include "plugin.h"
#include "terminal.h"

namespace mcpctl {

namespace {

// `mcpctl help get` is `mcpctl get --help`.
std::vector<std::string> without_help_word(std::vector<std::string> words) {
  if (words.empty() || words.front() != "help") return words;
  words.erase(words.begin());
  words.emplace_back("--help");
  return words;
}

Result<int> run(const std::vector<std::string>& given) {
  const std::vector<std::string> words = without_help_word(given);
  MCPCTL_TRY(const Kinds kinds, Kinds::load());
  const CommandTable table(kinds);
  if (const auto plugin = find_plugin(table, words, process_environment)) return run_plugin(*plugin);
  MCPCTL_TRY(const Parsed parsed, parse_command_line(table, words));
  const Command* command = parsed.invocation.command;
  if (parsed.invocation.help || words.empty()) {
    MCPCTL_CHECK(write_out(help_text(table, parsed.help_path)));
    return kExitOk;
  }
  if (command == nullptr) {
    write_err(help_text(table, parsed.help_path));
    return kExitUsage;
  }
  if (parsed.invocation.has("color")) set_colour(parsed.invocation.text("color"));
  Application app(kinds, table, process_environment);
  return command->handler(app, parsed.invocation);
}

}  // namespace
}  // namespace mcpctl

int main(int argc, char** argv) {
  // Widths of characters in tables; everything else stays untouched by the user's locale.
  if (std::setlocale(LC_CTYPE, "C.UTF-8") == nullptr) std::setlocale(LC_CTYPE, "");
  mcpctl::install_signal_handlers();
  const auto code = mcpctl::run(std::vector<std::string>(argv + 1, argv + argc));
  if (code.ok()) return *code;
  mcpctl::report(code.failure());
  return code.failure().exit_code;
}
