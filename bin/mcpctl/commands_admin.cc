// Rows of the command table: the control plane as a whole, and this program.
#include "command_group.h"
#include "verbs.h"

namespace mcpctl {
namespace {

Command approve() {
  return {
      .path = "approve",
      .summary = "Make a prompt request a prompt, or show a changed tool again",
      .handler = run_approve,
      .arguments = {{.name = "RESOURCE",
                     .help = "promptrequest, promptrequest/NAME, or tool",
                     .completes = "promptrequest|tool"},
                    {"NAME", "names or ids of requests; of tools SERVER/TOOL", false, true}},
      .examples = {{"mcpctl approve promptrequest be-kind -p demo", ""},
                   {"mcpctl approve tool grafana/query_logs", "of a server with pin, whose definition has changed"}}};
}

const Flag kBackupPasswordFile{.name = "password-file",
                               .placeholder = "FILE",
                               .help = "file with the password of the backup; - is standard input"};

Command backup() {
  return {.path = "backup",
          .summary = "Write everything that the control plane keeps to a file",
          .handler = run_backup,
          .flags = {{.name = "output-file",
                     .placeholder = "FILE",
                     .help = "write it there, readable by its owner alone, and not to standard output",
                     .letter = 'o'},
                    kBackupPasswordFile,
                    kPasswordStdin,
                    {.name = "force", .help = "replace an existing file", .type = FlagType::kBoolean}},
          .examples = {{"mcpctl backup -o mcpd.backup --password-file backup.pw",
                        "restorable anywhere, with that password"},
                       {"mcpctl backup -o mcpd.backup", "without the values of secrets and without passwords"}},
          .description =
              "Needs the operation `backup`, and holds what you may view; the values of secrets that you may edit "
              "and the password hashes that you may set are in it, encrypted, when it gets a password of 8 bytes "
              "or more. Tokens are kept as hashes: a restored one works as before. What is not in it is said on "
              "standard error.",
          .takes_format = false};
}

Command restore() {
  return {.path = "restore",
          .summary = "Restore a backup, all of it or nothing",
          .handler = run_restore,
          .arguments = {{"FILE", "what `mcpctl backup` wrote; - is standard input"}},
          .flags = {kBackupPasswordFile,
                    kPasswordStdin,
                    {.name = "conflict",
                     .help = "what to do where other content is there already",
                     .type = FlagType::kEnum,
                     .choices = "fail|skip|overwrite",
                     .default_text = "fail"},
                    {.name = "dry-run", .help = "do everything but keep nothing", .type = FlagType::kBoolean}},
          .examples = {{"mcpctl restore mcpd.backup --password-file backup.pw --dry-run", "shows what would happen"},
                       {"mcpctl restore mcpd.backup --conflict skip", "keeps what is here"}},
          .description =
              "Needs the operation `restore` and, for everything in it, the rights to write it by hand. Tokens never "
              "change: one that is revoked on either side is revoked afterwards."};
}

Command get_contexts() {
  return {.path = "config get-contexts",
          .summary = "List the contexts of the configuration file",
          .handler = run_get_contexts,
          .examples = {{"mcpctl config get-contexts", ""}}};
}

Command use_context() {
  return {.path = "config use-context",
          .summary = "Make a context the current one",
          .handler = run_use_context,
          .arguments = {{.name = "NAME", .help = "the context", .completes = "context"}},
          .examples = {{"mcpctl config use-context home", ""}},
          .takes_format = false};
}

Command set_context() {
  return {.path = "config set-context",
          .summary = "Make a context, or change one",
          .handler = run_set_context,
          .arguments = {{"NAME", "the context"}},
          .examples = {{"mcpctl config set-context home --mcpd-url http://127.0.0.1:3100 -p demo", ""}},
          .description = "Takes --mcpd-url, -p and -o. The first context becomes the current one."};
}

Command config_view() {
  return {.path = "config view",
          .summary = "Show what a command would use",
          .handler = run_config_view,
          .flags = {{.name = "raw", .help = "with the credential as it is", .type = FlagType::kBoolean},
                    {.name = "origin", .help = "with where each value comes from", .type = FlagType::kBoolean}},
          .examples = {{"mcpctl config view --origin", ""}}};
}

Command api() {
  return {.path = "api",
          .summary = "Send any request to the control plane",
          .handler = run_api,
          .arguments = {{.name = "METHOD",
                         .help = "GET, POST, PUT, PATCH or DELETE",
                         .completes = "GET|POST|PUT|PATCH|DELETE"},
                        {"PATH", "below /api/v1: /servers"}},
          .flags = {{.name = "input", .placeholder = "FILE", .help = "the body; - is standard input"},
                    {.name = "field",
                     .placeholder = "KEY=VALUE",
                     .help = "a member of the body; JSON where the value is JSON",
                     .letter = 'F',
                     .repeatable = true}},
          .examples = {{"mcpctl api GET /version", ""},
                       {"mcpctl api POST /authz/check -F action=view -F resource=servers", ""}},
          .description = "The answer as JSON; `-o jsonpath=` and `-o yaml` apply."};
}

Command version() {
  return {.path = "version",
          .summary = "Show the version of this program",
          .handler = run_version,
          .examples = {{"mcpctl version -o json", ""}}};
}

}  // namespace

CommandGroup admin_commands(const Kinds&) {
  return {.title = "Administration",
          .branches = {{"config", "Contexts, and what is used"}},
          .commands = {approve(), backup(), restore(), get_contexts(), use_context(), set_context(), config_view(),
                       api(), version()}};
}

}  // namespace mcpctl
