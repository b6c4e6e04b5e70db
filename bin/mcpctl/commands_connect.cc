// Rows of the command table: MCP endpoints and their clients.
#include "command_group.h"
#include "connect.h"
#include "project_token.h"
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
                token_file_flag(),
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

constexpr const char* kTokenFrom =
    "The token comes from `--token-file`, from `$MCPCTL_TOKEN`, or is the one that `create mcptoken --save` has kept "
    "for the "
    "project.";

std::string client_names() {
  std::string names;
  for (const ClientRow& row : client_rows())
    names += (names.empty() ? "" : "|") + std::string(row.name);
  return names;
}

Command connect() {
  return {
      .path = "connect",
      .summary = "Configure an MCP client for a project",
      .handler = run_connect,
      .arguments =
          {{.name = "CLIENT", .help = "which; --list shows them", .required = false, .completes = client_names()}},
      .flags = {{.name = "write", .help = "merge it into the client's file", .type = FlagType::kBoolean},
                {.name = "print", .help = "print it, which is the default", .type = FlagType::kBoolean},
                {.name = "list", .help = "the clients, and where each gets the token from", .type = FlagType::kBoolean},
                {.name = "name", .placeholder = "NAME", .help = "name of the entry", .default_text = "the project"},
                {.name = "scope",
                 .help = "the file in your home, or that of the present folder",
                 .type = FlagType::kEnum,
                 .choices = "user|folder",
                 .default_text = "user"},
                {.name = "variable",
                 .placeholder = "NAME",
                 .help = "environment variable with the token",
                 .default_text = "MCPCTL_TOKEN_PROJECT"}},
      .examples = {{"mcpctl connect codex -p demo --write", ""},
                   {"mcpctl connect claude-code -p demo --scope folder --write",
                    "for everybody who works in this folder"},
                   {"mcpctl connect openai-agents -p demo", "lines for a program"}},
      .description =
          "The token itself is never written: the client is told an environment variable, asks for the token, or "
          "starts `mcpctl mcp`, which has it from the credentials file. `--write` keeps everything else that the file "
          "holds, comments and layout too, leaves the file as it was beside it, and makes it readable by its owner "
          "alone. An entry of that name that is a server of another kind is refused.",
      .takes_format = false};
}

Command mcp() {
  return {.path = "mcp",
          .summary = "Be an MCP server on standard input and output, in front of a project's endpoint",
          .handler = run_mcp,
          .flags = {token_file_flag()},
          .examples = {{"mcpctl mcp -p demo", "the command of a client that starts its servers itself"},
                       {"mcpctl mcp -p demo --token-file agent.token", ""}},
          .description =
              std::string(kTokenFrom) +
              " Messages pass as they are, in either protocol era. A server that starts anew is waited for, and a "
              "session that it has lost is begun once more without the client's noticing.",
          .takes_format = false};
}

Command proxy() {
  return {
      .path = "proxy",
      .summary = "Serve a project's endpoint on loopback, with the token added",
      .handler = run_proxy,
      .flags = {{.name = "listen",
                 .placeholder = "ADDRESS",
                 .help = "loopback address and port, or a port; 0 takes a free one",
                 .default_text = "127.0.0.1:8200"},
                {.name = "port-file", .placeholder = "FILE", .help = "write the port there when it listens"},
                token_file_flag()},
      .examples = {{"mcpctl proxy -p demo", ""},
                   {"mcpctl proxy -p demo --listen 8200 & vllm serve MODEL --tool-server 127.0.0.1:8200",
                    "vLLM sends no headers"}},
      .description =
          std::string(kTokenFrom) +
          " `/mcp` speaks Streamable HTTP, `/sse` the HTTP+SSE transport of 2024-11-05, neither wants a header. Every "
          "process of the machine may use the token while it runs; requests with an Origin, and those for another "
          "Host than a loopback name, are refused.",
      .takes_format = false};
}

}  // namespace

CommandGroup connect_commands(const Kinds&) {
  return {.title = "Connect",
          .branches = {{"test", "Test an endpoint"}},
          .commands = {connect(), test_mcp(), mcp(), proxy()}};
}

}  // namespace mcpctl
