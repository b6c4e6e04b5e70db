// Rows of the command table: project tokens.
#include "command_group.h"
#include "create_body.h"
#include "verbs.h"

namespace mcpctl {
namespace {

// Where a new token goes.
void add_token_flags(std::vector<Flag>& flags) {
  flags.push_back({.name = "output-file",
                   .placeholder = "FILE",
                   .help = "write the token there, readable by its owner alone, and not to standard output"});
  flags.push_back({.name = "save",
                   .help = "keep the token in the credentials file for commands that connect to the project",
                   .type = FlagType::kBoolean});
}

Command rotate_mcptoken(const Kind& kind) {
  std::vector<Flag> flags = {{.name = "grace",
                              .placeholder = "TIME",
                              .help = "how long the old token goes on, at most 30d; it ends at once without"},
                             {.name = "ttl",
                              .placeholder = "TIME",
                              .help = "lifetime of the new one; without it that which the old one was made for"}};
  add_token_flags(flags);
  return {
      .path = "rotate mcptoken",
      .summary = "Put a new token in the place of an old one",
      .handler = run_rotate_mcptoken,
      .arguments = {{"NAME", "name of the token"}},
      .flags = std::move(flags),
      .examples = {{"mcpctl rotate mcptoken agent -p demo --grace 1h", ""},
                   {"mcpctl rotate mcptoken agent -p demo --output-file agent.token", ""}},
      .description =
          "The new token has the name and the bindings of the old one and is yours; each binding must be within your "
          "own rights. A use of the old one after its time is recorded as `token_leak_suspected`.",
      .aliases = kind.aliases,
      .kind = &kind};
}

Command create_mcptoken(const Kind& kind) {
  std::vector<Flag> flags = create_flags(kind);
  add_token_flags(flags);
  return {.path = "create mcptoken",
          .summary = "Mint a token for one project; it is shown once",
          .handler = run_create_mcptoken,
          .arguments = {{"NAME", "name of the token, unique in its project"}},
          .flags = std::move(flags),
          .examples = {{"mcpctl create mcptoken agent -p demo --rbac clone --ttl 30d", ""},
                       {"mcpctl create mcptoken agent -p demo --bind role:view,resource:servers,name:grafana", ""},
                       {"export MCPCTL_TOKEN=$(mcpctl create mcptoken ci -p demo --rbac clone --ttl 12h)", ""}},
          .description =
              "The token alone goes to standard output, all else to standard error; with `-o json` it is the "
              "member `token`. A clone never holds `*` or operations; what was left out is said. "
              "The project comes from `-p`, `$MCPCTL_PROJECT` or the context.",
          .aliases = kind.aliases,
          .kind = &kind};
}

Command token_scan() {
  return {.path = "token scan",
          .summary = "Look for raw tokens and sessions in files",
          .handler = run_token_scan,
          .arguments = {{.name = "PATH",
                         .help = "files, folders with all below them, or - for standard input",
                         .many = true,
                         .completes = "file"}},
          .flags = {{.name = "check", .help = "ask the server whether each still works", .type = FlagType::kBoolean}},
          .examples = {{"mcpctl token scan .", "before a commit"},
                       {"git log -p | mcpctl token scan -", "in everything that was ever committed"},
                       {"mcpctl token scan /var/log --check -o json", ""}},
          .description =
              "They are found by their form, which no other text has by chance. Only the beginning of each is shown, "
              "and without "
              "`--check` nothing leaves the machine. Symbolic links are not followed.",
          .exit_codes = {
              {0, "none"}, {1, "some were found, or a file could not be read"}, {64, "the command line is wrong"}}};
}

}  // namespace

CommandGroup token_commands(const Kinds& kinds) {
  CommandGroup group{.title = "Tokens", .branches = {{"rotate", "Replace a credential"}, {"token", "Raw credentials"}}};
  if (const Kind* kind = kinds.find("mcptoken")) group.commands = {create_mcptoken(*kind), rotate_mcptoken(*kind)};
  group.commands.push_back(token_scan());
  return group;
}

}  // namespace mcpctl
