// Rows of the command table: what a shell, a package and the documentation ask of the program.
#include "command_group.h"
#include "verbs.h"

namespace mcpctl {
namespace {

Command doctor() {
  return {.path = "doctor",
          .summary = "Check what stands between you and a working endpoint",
          .handler = run_doctor,
          .examples = {{"mcpctl doctor", ""}, {"mcpctl doctor -o json", "for monitoring"}},
          .description =
              "Configuration, permissions of the credentials, reachability, clock, versions, login, every server, "
              "every kept token. "
              "Warnings do not count for the exit code.",
          .exit_codes = {{0, "nothing is broken"}, {1, "something is"}, {64, "the command line is wrong"}}};
}

Command completion() {
  return {.path = "completion",
          .summary = "Print the script that teaches a shell to complete mcpctl",
          .handler = run_completion,
          .arguments = {{.name = "SHELL", .help = "bash, zsh or fish", .completes = "bash|zsh|fish"}},
          .examples = {{"source <(mcpctl completion bash)", "for this bash; zsh the same with zsh"},
                       {"mcpctl completion fish > ~/.config/fish/completions/mcpctl.fish", "for every fish"},
                       {"mcpctl completion zsh > \"${fpath[1]}/_mcpctl\"", "for every zsh"}},
          .description =
              "Commands, flags, kinds and their values come from the program. Names and projects are asked of the "
              "server, for "
              "300 ms at most; nothing is offered when it is away or you are not logged in.",
          .takes_format = false};
}

Command complete_line() {
  return {.path = "__complete",
          .summary = "What the completion scripts ask",
          .handler = run_complete,
          .rest = "WORD…",
          .hidden = true,
          .takes_format = false};
}

Command man() {
  return {.path = "__man",
          .summary = "Write the manual pages",
          .handler = run_man,
          .arguments = {{"FOLDER", "where they go"}},
          .hidden = true,
          .takes_format = false};
}

Command docs() {
  return {.path = "__docs", .summary = "Print docs/cli.md", .handler = run_docs, .hidden = true, .takes_format = false};
}

}  // namespace

CommandGroup shell_commands(const Kinds&) {
  return {.title = "Administration", .commands = {doctor(), completion(), complete_line(), man(), docs()}};
}

}  // namespace mcpctl
