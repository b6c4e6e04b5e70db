// The command table itself.
#include <algorithm>

#include "command.h"
#include "create_body.h"
#include "verbs.h"

namespace mcpctl {
namespace {

constexpr const char* kBasic = "Basic commands";
constexpr const char* kAccess = "Access";
constexpr const char* kAdmin = "Administration";
constexpr const char* kObserve = "Observe and test";
constexpr const char* kOther = "Other";

const Flag kForce{.name = "force", .help = "replace an existing object of that name", .type = FlagType::kBoolean};
const Flag kPasswordStdin{
    .name = "password-stdin", .help = "read the password from standard input", .type = FlagType::kBoolean};

Command bootstrap() {
  return {
      .path = "bootstrap",
      .group = kAccess,
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
      .group = kAccess,
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
          .group = kAccess,
          .summary = "End the session and forget it",
          .handler = run_logout,
          .examples = {{"mcpctl logout", ""}},
          .takes_format = false};
}

Command passwd() {
  return {.path = "passwd",
          .group = kAccess,
          .summary = "Change your password, or that of a user",
          .handler = run_passwd,
          .arguments = {{"EMAIL", "the user; yourself when absent", false}},
          .flags = {{.name = "password-stdin",
                     .help = "read from standard input: for yourself the present password and the new one, a line each",
                     .type = FlagType::kBoolean}},
          .examples = {{"mcpctl passwd", ""}, {"mcpctl passwd bob@example.com", "ends all sessions of that user"}},
          .description = "Without a way to log in, `mcpd admin reset-password EMAIL` does it on the server's machine.",
          .takes_format = false};
}

Command approve() {
  return {.path = "approve",
          .group = kAdmin,
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
          .group = kAdmin,
          .summary = "Write everything that the control plane keeps to a file",
          .handler = run_backup,
          .flags = {{.name = "output-file",
                     .placeholder = "FILE",
                     .help = "write it there, readable by its owner alone, and not to standard output",
                     .letter = 'o'},
                    kBackupPasswordFile,
                    kPasswordStdin,
                    {.name = "force", .help = "replace an existing file", .type = FlagType::kBoolean}},
          .examples = {{"mcpctl backup -o mcpd.backup --password-file backup.pw", "restorable anywhere, with that password"},
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
          .group = kAdmin,
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

Command whoami(std::string path, bool hidden) {
  const std::string words = "mcpctl " + path;
  return {.path = std::move(path),
          .group = kAccess,
          .summary = "Show who the server takes you for",
          .handler = run_whoami,
          .examples = {{words, ""}, {words + " -o json", ""}},
          .hidden = hidden};
}

Command get() {
  return {.path = "get",
          .group = kBasic,
          .summary = "List objects, or show some by name",
          .handler = run_get,
          .arguments = {{"RESOURCE", "a kind: servers, projects, mcptokens, …; or KIND/NAME"},
                        {"NAME", "names or ids; all when there is none", false, true}},
          .flags = {{.name = "selector",
                     .placeholder = "LABELS",
                     .help = "objects with these labels: env=prod,tier!=web",
                     .letter = 'l'},
                    {.name = "all", .help = "mcptokens: with revoked and replaced ones", .type = FlagType::kBoolean},
                    {.name = "status",
                     .placeholder = "A,B",
                     .help = "mcptokens: some of active,superseded,revoked,expired"},
                    {.name = "unused", .placeholder = "TIME", .help = "mcptokens: not used for so long, like 30d"},
                    {.name = "expiring", .placeholder = "TIME", .help = "mcptokens: that end within, like 7d"}},
          .examples = {{"mcpctl get servers", ""},
                       {"mcpctl get mcptokens -p demo", "those of one project"},
                       {"mcpctl get mcptokens --unused 30d", "what can be revoked"},
                       {"mcpctl get server everything -o yaml", "as a file to keep"},
                       {"mcpctl get projects -o name", "for scripts"}},
          .description =
              "`-o json` holds every member, several objects as `{\"kind\": \"List\", \"items\": […]}`. `-o yaml` "
              "leaves out what the server sets by itself; several objects are several documents."};
}

Command remove() {
  return {.path = "delete",
          .group = kBasic,
          .summary = "Delete objects; a token is revoked at once",
          .handler = run_delete,
          .arguments = {{"RESOURCE", "a kind, or KIND/NAME"}, {"NAME", "names or ids", false, true}},
          .flags = {{.name = "yes",
                     .help = "do not ask before deleting a project or several tokens",
                     .type = FlagType::kBoolean,
                     .letter = 'y'},
                    {.name = "cascade", .help = "with a user, revoke the user's tokens", .type = FlagType::kBoolean}},
          .examples = {{"mcpctl delete server everything", ""},
                       {"mcpctl delete user bob@example.com --cascade", ""},
                       {"mcpctl delete mcptoken agent -p demo", "calls and streams under way end, too"},
                       {"mcpctl delete project demo --yes", ""}}};
}

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

Command audit_verify() {
  return {.path = "audit verify",
          .summary = "Check that no event of the audit record was changed, removed, inserted or moved",
          .handler = run_audit_verify,
          .flags = {{.name = "expect-head",
                     .placeholder = "SEQ:HASH",
                     .help = "head that an earlier check told; it must be in the record"}},
          .examples = {{"mcpctl audit verify", ""},
                       {"mcpctl audit verify --expect-head \"$(cat head)\" -o json", "not replaced by an older record, too"}},
          .description =
              "Tells the head, the number and hash of the last event. Note it down where nobody can change both. While mcpd "
              "does not run, `mcpd admin audit-verify` does the same.",
          .exit_codes = {{0, "the record is intact"},
                         {1, "it is not, or it could not be checked"},
                         {4, "not logged in, or the server refused the credential"},
                         {64, "the command line is wrong"}}};
}

Command logs() {
  return {.path = "logs",
          .group = kObserve,
          .summary = "Show what a server said on its standard error",
          .handler = run_logs,
          .arguments = {{"NAME", "an instance, or a server for all of its instances"}},
          .flags = {{.name = "tail", .placeholder = "LINES", .help = "the last ones alone", .type = FlagType::kInteger},
                    {.name = "timestamps", .help = "begin each line with its time", .type = FlagType::kBoolean}},
          .examples = {{"mcpctl logs files --tail 20", ""}, {"mcpctl logs files-3f9k2a --timestamps", "one instance"}},
          .description =
              "The last 256 KiB of each instance are kept while it is there. Values of the server's secrets are "
              "replaced. It needs the operation `logs` and the view of the server's instances.",
          .takes_format = false};
}

std::string without_full_stop(std::string text) {
  if (!text.empty() && text.back() == '.') text.pop_back();
  return text;
}

Command create_kind(const Kind& kind) {
  Command command{.path = "create " + kind.name,
                  .summary = without_full_stop(kind.help),
                  .handler = run_create,
                  .arguments = {{"NAME", "name of the " + kind.name}},
                  .flags = create_flags(kind),
                  .aliases = kind.aliases,
                  .rest = create_rest(kind),
                  .kind = &kind};
  if (kind.can("replace")) command.flags.push_back(kForce);
  return command;
}

struct ExampleRow {
  const char* path;
  Example example;
};
const ExampleRow kCreateExamples[] = {
    {"create server",
     {"mcpctl create server files --transport STDIO -- npx -y @modelcontextprotocol/server-filesystem /srv",
      "everything after -- is the command"}},
    {"create server",
     {"mcpctl create server grafana --transport STREAMABLE_HTTP --external-url https://grafana.example.com/mcp "
      "--header Authorization=secret:grafana/bearer",
      ""}},
    {"create project", {"mcpctl create project demo --proxy-model none --server everything --server files", ""}},
    {"create secret", {"mcpctl create secret grafana --data-stdin bearer < bearer.txt", ""}},
    {"create rbac", {"mcpctl create rbac readers --subject Group:team --roleBindings role:view,resource:servers", ""}},
    {"create user", {"mcpctl create user bob@example.com", ""}},
};

}  // namespace

CommandTable::CommandTable(const Kinds& kinds) {
  commands_ = {get(), remove()};
  for (const Kind& kind : kinds.all()) {
    if (!kind.can("create")) continue;
    Command command = kind.name == "mcptoken" ? create_mcptoken(kind) : create_kind(kind);
    for (const ExampleRow& row : kCreateExamples) {
      if (command.path == row.path) command.examples.push_back(row.example);
    }
    commands_.push_back(std::move(command));
  }
  if (const Kind* tokens = kinds.find("mcptoken")) commands_.push_back(rotate_mcptoken(*tokens));
  commands_.push_back(bootstrap());
  commands_.push_back(login());
  commands_.push_back(logout());
  commands_.push_back(passwd());
  commands_.push_back(whoami("auth whoami", false));
  commands_.push_back(whoami("whoami", true));
  commands_.push_back(test_mcp());
  commands_.push_back(audit_verify());
  commands_.push_back(logs());
  commands_.push_back(approve());
  commands_.push_back(backup());
  commands_.push_back(restore());
  commands_.push_back({.path = "status",
                       .group = kObserve,
                       .summary = "Show the server, its health and your login",
                       .handler = run_status,
                       .examples = {{"mcpctl status", ""}}});
  commands_.push_back({.path = "version",
                       .group = kOther,
                       .summary = "Show the version of this program",
                       .handler = run_version,
                       .examples = {{"mcpctl version -o json", ""}}});
  commands_.push_back({.path = "__docs",
                       .group = kOther,
                       .summary = "Print this page",
                       .handler = run_docs,
                       .hidden = true,
                       .takes_format = false});
}

const std::vector<Flag>& CommandTable::common_flags() {
  static const std::vector<Flag> flags = {
      {.name = "output",
       .help = "format of the output",
       .type = FlagType::kEnum,
       .choices = "table|wide|json|yaml|name",
       .default_text = "table",
       .letter = 'o'},
      {.name = "no-headers", .help = "tables without the first line", .type = FlagType::kBoolean},
      {.name = "project",
       .placeholder = "NAME",
       .help = "project of tokens and other objects inside one",
       .letter = 'p'},
      {.name = "mcpd-url",
       .placeholder = "URL",
       .help = "control plane",
       .default_text = "http://127.0.0.1:3100",
       .alias = "server"},
      {.name = "context", .placeholder = "NAME", .help = "entry of the configuration file to use"},
      {.name = "help", .help = "show help", .type = FlagType::kBoolean, .letter = 'h'},
  };
  return flags;
}

const std::vector<ExitCode>& CommandTable::common_exit_codes() {
  static const std::vector<ExitCode> codes = {{0, "done"},
                                              {1, "failed"},
                                              {4, "not logged in, or the server refused the credential"},
                                              {64, "the command line is wrong"},
                                              {130, "interrupted"}};
  return codes;
}

std::vector<Flag> CommandTable::flags_of(const Command& command) {
  std::vector<Flag> flags = command.flags;
  for (Flag common : common_flags()) {
    const bool formats = common.name == "output" || common.name == "no-headers";
    if (formats && !command.takes_format) continue;
    if (command.flag(common.name) != nullptr) continue;
    // `create project --server` attaches an MCP server; the control plane is --mcpd-url alone there.
    if (command.flag(common.alias) != nullptr) common.alias.clear();
    flags.push_back(std::move(common));
  }
  return flags;
}

const Flag* Command::flag(std::string_view wanted) const {
  const auto found = std::find_if(flags.begin(), flags.end(), [&](const Flag& f) { return f.name == wanted; });
  return found == flags.end() ? nullptr : &*found;
}

std::vector<const Command*> CommandTable::below(std::string_view path) const {
  std::vector<const Command*> found;
  const std::string prefix = std::string(path) + " ";
  for (const Command& command : commands_) {
    if (!command.hidden && command.path.compare(0, prefix.size(), prefix) == 0) found.push_back(&command);
  }
  return found;
}

const Command* CommandTable::find(std::string_view path) const {
  const auto found = std::find_if(commands_.begin(), commands_.end(), [&](const Command& c) { return c.path == path; });
  return found == commands_.end() ? nullptr : &*found;
}

const std::vector<Branch>& CommandTable::branches() {
  static const std::vector<Branch> rows = {{"create", kBasic, "Create an object"},
                                           {"rotate", kAccess, "Replace a credential"},
                                           {"auth", kAccess, "Questions about identity"},
                                           {"test", kObserve, "Test an endpoint"},
                                           {"audit", kObserve, "The audit record"}};
  return rows;
}

const Branch* CommandTable::branch(std::string_view path) {
  const auto& rows = branches();
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const Branch& b) { return b.path == path; });
  return found == rows.end() ? nullptr : &*found;
}

std::string Invocation::text(const std::string& flag) const {
  const auto found = flags.find(flag);
  return found == flags.end() || found->second.empty() ? std::string() : found->second.back();
}

std::vector<std::string> Invocation::all(const std::string& flag) const {
  const auto found = flags.find(flag);
  return found == flags.end() ? std::vector<std::string>() : found->second;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t at = text.find(separator);
    parts.emplace_back(text.substr(0, at));
    text = at == std::string_view::npos ? std::string_view() : text.substr(at + 1);
  }
  return parts;
}

}  // namespace mcpctl
