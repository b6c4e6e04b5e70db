#include <fcntl.h>
#include <unistd.h>

#include <clocale>

#include "application.h"
#include "debug.h"
#include "help_parts.h"
#include "plugin.h"
#include "terminal.h"

namespace mcpctl {

namespace {

// `mcpctl help get` is `mcpctl get --help`, and `mcpctl --version` is what other programs have.
std::vector<std::string> without_help_word(std::vector<std::string> words) {
  if (words.size() == 1 && words.front() == "--version") return {"version"};
  if (words.empty() || words.front() != "help") return words;
  words.erase(words.begin());
  words.emplace_back("--help");
  return words;
}

Result<int> run(const std::vector<std::string>& given) {
  const std::vector<std::string> words = without_help_word(given);
  MCPCTL_TRY(const Kinds kinds, Kinds::load());
  const CommandTable table(kinds);
  if (given.size() == 2 && given.front() == "help") {
    const std::string topic = topic_text(table, given.back());
    MCPCTL_CHECK(write_out(topic));
    if (!topic.empty()) return kExitOk;
  }
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
  set_debug(parsed.invocation.is_set("debug"));
  Application app(kinds, table, process_environment);
  return command->handler(app, parsed.invocation);
}

// A file that is opened later must not become what stands for a stream that the caller has closed. Of the two ways, the
// one in which the stream cannot be used: what should have been written is a failure, not lost.
void fill_standard_streams() {
  for (int fd = 0; fd < 3; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0) ::_exit(kExitFailed);
  }
}

}  // namespace
}  // namespace mcpctl

int main(int argc, char** argv) {
  mcpctl::fill_standard_streams();
  // Widths of characters in tables; everything else stays untouched by the user's locale.
  if (std::setlocale(LC_CTYPE, "C.UTF-8") == nullptr) std::setlocale(LC_CTYPE, "");
  mcpctl::install_signal_handlers();
  const auto code = mcpctl::run(std::vector<std::string>(argv + 1, argv + argc));
  if (code.ok()) return *code;
  mcpctl::report(code.failure());
  return code.failure().exit_code;
}
