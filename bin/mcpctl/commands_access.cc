// Rows of the command table: who may do what, and logging in.
#include "command_group.h"
#include "rights_words.h"
#include "verbs.h"

namespace mcpctl {
namespace {

Command bootstrap() {
  return {
      .path = "bootstrap",
      .summary = "Create the first user of a new control plane and log in",
      .handler = run_bootstrap,
      .arguments = {{"EMAIL", "e-mail address of the first administrator"}},
      .flags = {{.name = "code-file",
                 .placeholder = "FILE",
                 .help = "file with the code that the server wrote at its first start",
                 .default_text = "$XDG_STATE_HOME/mcpd/bootstrap-code"},
                kPasswordStdin},
      .examples = {{"mcpctl bootstrap ada@example.com", "asks for the new password twice"},
                   {"mcpctl bootstrap ada@example.com --code-file /var/lib/mcpd/bootstrap-code --password-stdin < pw",
                    "without a terminal"}}};
}

Command login() {
  return {
      .path = "login",
      .summary = "Log in and keep the session",
      .handler = run_login,
      .flags = {{.name = "email", .placeholder = "EMAIL", .help = "who logs in", .required = true}, kPasswordStdin},
      .examples = {{"mcpctl login --email ada@example.com", ""},
                   {"mcpctl login --email ada@example.com --mcpd-url https://mcp.example.com", "on another server"}},
      .description =
          "The session goes to the file `credentials` beside the configuration, readable by its owner alone. "
          "The server of the last login is the default for later commands."};
}

Command logout() {
  return {.path = "logout",
          .summary = "End the session and forget it",
          .handler = run_logout,
          .examples = {{"mcpctl logout", ""}},
          .takes_format = false};
}

Command passwd() {
  return {.path = "passwd",
          .summary = "Change your password, or that of a user",
          .handler = run_passwd,
          .arguments =
              {{.name = "EMAIL", .help = "the user; yourself when absent", .required = false, .completes = "user"}},
          .flags = {{.name = "password-stdin",
                     .help = "read from standard input: for yourself the present password and the new one, a line each",
                     .type = FlagType::kBoolean}},
          .examples = {{"mcpctl passwd", ""}, {"mcpctl passwd bob@example.com", "ends all sessions of that user"}},
          .description = "Without a way to log in, `mcpd admin reset-password EMAIL` does it on the server's machine.",
          .takes_format = false};
}

std::string asked_words() {
  std::string words;
  for (const auto* some : {&role_words(), &operation_words()}) {
    for (const std::string& word : *some)
      words += (words.empty() ? "" : "|") + word;
  }
  return words;
}

Command can_i() {
  return {.path = "auth can-i",
          .summary = "Ask whether you, a user or a token may do something",
          .handler = run_can_i,
          .arguments = {{.name = "ACTION",
                         .help = "view, create, edit, delete, expose or run; alone: an operation, like logs",
                         .required = false,
                         .completes = asked_words()},
                        {"RESOURCE", "a kind, tools, audit", false},
                        {"NAME", "one object: grafana, demo/agent, grafana/query_*; all when absent", false}},
          .flags = {{.name = "as",
                     .placeholder = "WHO",
                     .help = "User:ada@example.com (needs the operation impersonate), or mcptoken:agent with -p"},
                    {.name = "explain",
                     .help = "name the binding that decides, or what is missing",
                     .type = FlagType::kBoolean},
                    {.name = "list", .help = "everything that is allowed", .type = FlagType::kBoolean},
                    {.name = "quiet", .help = "the exit code alone", .type = FlagType::kBoolean, .letter = 'q'}},
          .examples = {{"mcpctl auth can-i edit servers grafana", ""},
                       {"mcpctl auth can-i run tools grafana/query --as mcptoken:agent -p demo --explain", ""},
                       {"mcpctl auth can-i --list --as User:bob@example.com", ""}},
          .exit_codes = {{0, "yes"},
                         {1, "no"},
                         {2, "it could not be asked"},
                         {4, "not logged in, or the server refused the credential"},
                         {64, "the command line is wrong"}}};
}

Command whoami(std::string path, bool hidden) {
  const std::string words = "mcpctl " + path;
  return {.path = std::move(path),
          .summary = "Show who the server takes you for",
          .handler = run_whoami,
          .examples = {{words, ""}, {words + " -o json", ""}},
          .hidden = hidden};
}

}  // namespace

CommandGroup access_commands(const Kinds&) {
  return {.title = "Access",
          .branches = {{"auth", "Questions about identity"}},
          .commands = {bootstrap(), login(), logout(), passwd(), can_i(), whoami("auth whoami", false),
                       whoami("whoami", true)}};
}

}  // namespace mcpctl
