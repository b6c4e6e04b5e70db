// Rows of the command table: MCP endpoints and their clients.
#include "command_group.h"
#include "verbs.h"

namespace mcpctl {
namespace {

Command test_mcp() {
  return {
      .path = "test mcp",
      .summary = "Prove an MCP endpoint from outside",
      .handler = run_test_mcp,
      .arguments = {{"URL", "the endpoint, like http://127.0.0.1:3100/projects/demo/mcp"}},
      .flags = {{.name = "token",
                 .placeholder = "TOKEN",
                 .help = "bearer token; other users of the machine can see it, "
                         "prefer --token-file or $MCPCTL_TOKEN"},
                {.name = "token-file", .placeholder = "FILE", .help = "file with the token; - is standard input"},
                {.name = "tool", .placeholder = "NAME", .help = "call this tool"},
                {.name = "args", .placeholder = "JSON", .help = "arguments of the call, a JSON object"},
                {.name = "expect-tools", .placeholder = "A,B", .help = "tools that must be listed", .repeatable = true},
                {.name = "timeout",
                 .placeholder = "SECONDS",
                 .help = "bound of each stage",
                 .type = FlagType::kSeconds,
                 .default_text = "30"},
                {.name = "no-health", .help = "skip the health check of the server", .type = FlagType::kBoolean},
                {.name = "era",
                 .help = "protocol revisions to speak",
                 .type = FlagType::kEnum,
                 .choices = "auto|legacy|modern",
                 .default_text = "auto"},
                {.name = "output",
                 .help = "a line for each stage, or one report",
                 .type = FlagType::kEnum,
                 .choices = "text|json",
                 .default_text = "text",
                 .letter = 'o'}},
      .examples = {{"mcpctl test mcp http://127.0.0.1:3100/projects/demo/mcp --token-file agent.token", ""},
                   {"mcpctl test mcp $URL --expect-tools echo,add --tool echo --args '{\"message\":\"hi\"}'", ""},
                   {"mcpctl test mcp $URL -o json --timeout 5", "for monitoring"}},
      .description =
          "Stages: health of the server, connect (protocol negotiation), list of tools, expectations, the "
          "optional call, close. The token may also come from `$MCPCTL_TOKEN`.",
      .exit_codes = {{0, "the endpoint does what was asked"},
                     {1, "it could not be reached, or it refused the token"},
                     {2, "it answered, but a tool is missing or the call failed"},
                     {64, "the command line is wrong"}}};
}

}  // namespace

CommandGroup connect_commands(const Kinds&) {
  return {.title = "Connect", .branches = {{"test", "Test an endpoint"}}, .commands = {test_mcp()}};
}

}  // namespace mcpctl
