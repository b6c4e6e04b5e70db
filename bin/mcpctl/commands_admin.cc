// Rows of the command table: the control plane as a whole, and this program.
#include "command_group.h"
#include "verbs.h"

namespace mcpctl {
namespace {

Command approve() {
  return {.path = "approve",
          .summary = "Make a prompt request a prompt",
          .handler = run_approve,
          .arguments = {{"RESOURCE", "promptrequest, or promptrequest/NAME"}, {"NAME", "names or ids", false, true}},
          .examples = {{"mcpctl approve promptrequest be-kind -p demo", ""}}};
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

Command version() {
  return {.path = "version",
          .summary = "Show the version of this program",
          .handler = run_version,
          .examples = {{"mcpctl version -o json", ""}}};
}

}  // namespace

CommandGroup admin_commands(const Kinds&) {
  return {.title = "Administration", .commands = {approve(), backup(), restore(), version()}};
}

}  // namespace mcpctl
