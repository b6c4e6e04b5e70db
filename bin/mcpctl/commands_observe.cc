// Rows of the command table: what goes on.
#include "command_group.h"
#include "verbs.h"

namespace mcpctl {
namespace {

Command status() {
  return {.path = "status",
          .summary = "Show the server, its health and your login",
          .handler = run_status,
          .examples = {{"mcpctl status", ""}}};
}

Command audit() {
  return {
      .path = "audit",
      .summary = "Show the audit record",
      .handler = run_audit,
      .flags = {{.name = "follow", .help = "go on, and show what comes", .type = FlagType::kBoolean, .letter = 'f'},
                {.name = "tail",
                 .placeholder = "N",
                 .help = "how many of the last events",
                 .type = FlagType::kInteger,
                 .default_text = "100"},
                {.name = "token",
                 .placeholder = "NAME",
                 .help = "events of the token of that name",
                 .completes = "mcptoken"},
                {.name = "token-sha", .placeholder = "SHA256", .help = "events of one token, whatever its name"},
                {.name = "user",
                 .placeholder = "EMAIL",
                 .help = "events of a user and of the user's tokens",
                 .completes = "user"},
                {.name = "from", .placeholder = "SERVER", .help = "events about an MCP server", .completes = "server"},
                {.name = "tool", .placeholder = "NAME", .help = "calls of a tool"},
                {.name = "kind", .placeholder = "KIND", .help = "tool_call_trace, rbac_decision, token_created, …"},
                {.name = "session", .placeholder = "ID", .help = "events of one MCP session"},
                {.name = "outcome",
                 .help = "how it ended",
                 .type = FlagType::kEnum,
                 .choices = "ok|tool error|protocol error|transport error|denied"},
                {.name = "since",
                 .placeholder = "TIME",
                 .help = "not before: 30m, 12h, 7d for so long ago, or an instant"},
                {.name = "until", .placeholder = "TIME", .help = "not after: the same"}},
      .examples = {{"mcpctl audit -f -p demo", "as it happens"},
                   {"mcpctl audit --token agent --outcome denied --since 24h", ""},
                   {"mcpctl audit --since 7d -o json", "an event a line"}},
      .description = "Needs `view audit` of the projects; what belongs to none is for those who may view all."};
}

Command audit_verify() {
  return {.path = "audit verify",
          .summary = "Check that no event of the audit record was changed, removed, inserted or moved",
          .handler = run_audit_verify,
          .flags = {{.name = "expect-head",
                     .placeholder = "SEQ:HASH",
                     .help = "head that an earlier check told; it must be in the record"}},
          .examples = {{"mcpctl audit verify", ""},
                       {"mcpctl audit verify --expect-head \"$(cat head)\" -o json",
                        "not replaced by an older record, too"}},
          .description =
              "Tells the head, the number and hash of the last event. Note it down where nobody can change both. While "
              "mcpd "
              "does not run, `mcpd admin audit-verify` does the same.",
          .exit_codes = {{0, "the record is intact"},
                         {1, "it is not, or it could not be checked"},
                         {4, "not logged in, or the server refused the credential"},
                         {64, "the command line is wrong"}}};
}

Command logs() {
  return {.path = "logs",
          .summary = "Show what a server said on its standard error",
          .handler = run_logs,
          .arguments = {{.name = "NAME",
                         .help = "an instance, or a server for all of its instances",
                         .completes = "server,instance"}},
          .flags = {{.name = "follow", .help = "go on with what comes", .type = FlagType::kBoolean, .letter = 'f'},
                    {.name = "tail", .placeholder = "LINES", .help = "the last ones alone", .type = FlagType::kInteger},
                    {.name = "timestamps", .help = "begin each line with its time", .type = FlagType::kBoolean}},
          .examples = {{"mcpctl logs files --tail 20", ""},
                       {"mcpctl logs files -f", "of all instances, also those that are started meanwhile"},
                       {"mcpctl logs files-3f9k2a --timestamps", "one instance"}},
          .description =
              "The last 256 KiB of each instance are kept while it is there. Values of the server's secrets are "
              "replaced. It needs the operation `logs` and the view of the server's instances.",
          .takes_format = false};
}

Command console() {
  return {
      .path = "console",
      .summary = "Watch MCP traffic, or the audit record, full screen",
      .handler = run_console,
      .flags = {{.name = "audit", .help = "the audit record in place of live traffic", .type = FlagType::kBoolean},
                {.name = "token-name", .placeholder = "NAME", .help = "one token alone", .completes = "mcptoken"},
                {.name = "outcome",
                 .help = "begin with these alone",
                 .type = FlagType::kEnum,
                 .choices = "all|failed|denied",
                 .default_text = "all"},
                {.name = "filter", .placeholder = "TEXT", .help = "begin with what contains it"}},
      .examples = {{"mcpctl console", "what clients say and are answered, as it happens"},
                   {"mcpctl console -p demo --outcome failed", ""},
                   {"mcpctl console --audit --token-name agent", "what one token has done"}},
      .description =
          "Keys: arrows, Enter for the whole entry, Tab for sessions, / to filter, o for outcomes, t for the token of "
          "an entry, f to follow, e to export what is shown as JSON lines, ? for help, q to quit. Entries are those of "
          "projects whose audit record you may view; what was said is shown to those who have the operation `logs`, "
          "too, with the values of the servers' secrets replaced. The server keeps nothing of live traffic. The last "
          "5,000 entries are kept here.",
      .takes_format = false};
}

Command cache_stats() {
  return {.path = "cache stats",
          .summary = "Show how the pipeline cache does",
          .handler = run_cache_stats,
          .examples = {{"mcpctl cache stats", ""}, {"mcpctl cache stats -o json", ""}}};
}

Command cache_list() {
  return {.path = "cache list",
          .summary = "List what the pipeline cache keeps on disk, never what is in it",
          .handler = run_cache_list,
          .examples = {{"mcpctl cache list -p demo", "of one project"}}};
}

Command cache_clear() {
  return {
      .path = "cache clear",
      .summary = "Empty the pipeline cache, or a project's part of it",
      .handler = run_cache_clear,
      .examples = {{"mcpctl cache clear -p demo", ""}},
      .description = "Clients can no longer look into results that they have. Needs edit of the project, or of all.",
      .takes_format = false};
}

}  // namespace

CommandGroup observe_commands(const Kinds&) {
  return {
      .title = "Observe",
      .branches = {{"cache", "The pipeline cache"}},
      .commands = {status(), console(), logs(), audit(), audit_verify(), cache_stats(), cache_list(), cache_clear()}};
}

}  // namespace mcpctl
