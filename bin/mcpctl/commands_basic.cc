// Rows of the command table: objects of every kind.
#include "command_group.h"
#include "create_body.h"
#include "verbs.h"

namespace mcpctl {
namespace {

const Flag kForce{.name = "force", .help = "replace an existing object of that name", .type = FlagType::kBoolean};

Command get() {
  return {
      .path = "get",
      .summary = "List objects, or show some by name",
      .handler = run_get,
      .arguments = {{"RESOURCE", "a kind: servers, projects, mcptokens, …; or KIND/NAME"},
                    {"NAME", "names or ids; all when there is none", false, true}},
      .flags =
          {{.name = "selector",
            .placeholder = "LABELS",
            .help = "objects with these labels: env=prod,tier!=web",
            .letter = 'l'},
           {.name = "field-selector",
            .placeholder = "TERMS",
            .help = "objects whose fields are so: status=active,expiresAt<7d",
            .completes = "field"},
           {.name = "sort-by", .placeholder = "PATH", .help = "order of the list: .createdAt", .completes = "field"},
           {.name = "watch", .help = "go on, and show what changes", .type = FlagType::kBoolean, .letter = 'w'},
           {.name = "all", .help = "mcptokens: with revoked and replaced ones", .type = FlagType::kBoolean},
           {.name = "status",
            .placeholder = "A,B",
            .help = "mcptokens: some of active,superseded,revoked,expired",
            .completes = "active|superseded|revoked|expired"},
           {.name = "unused", .placeholder = "TIME", .help = "mcptokens: not used for so long, like 30d"},
           {.name = "expiring", .placeholder = "TIME", .help = "mcptokens: that end within, like 7d"}},
      .examples = {{"mcpctl get servers", ""},
                   {"mcpctl get mcptokens -p demo", "those of one project"},
                   {"mcpctl get mcptokens --unused 30d", "what can be revoked"},
                   {"mcpctl get server everything -o yaml", "as a file to keep"},
                   {"mcpctl get all -p demo -o yaml", "the project with all that it refers to"},
                   {"mcpctl get mcptokens -o custom-columns=NAME:.name,OWNER:.owner --sort-by .lastUsedAt", ""},
                   {"mcpctl get projects -o name", "for scripts"}},
      .description =
          "`-o json` holds every member, several objects as `{\"kind\": \"List\", \"items\": […]}`. `-o yaml` "
          "leaves out what the server sets by itself; several objects are several documents. `apply` takes both, and "
          "changes nothing when nothing has changed since. `get all` lists every kind; with `-p` what is in the "
          "project and what that refers to. `-o jsonpath=` takes kubectl's templates."};
}

Command remove() {
  return {.path = "delete",
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

Command describe() {
  return {.path = "describe",
          .summary = "Show one object with all that is known about it",
          .handler = run_describe,
          .arguments = {{"RESOURCE", "a kind, or KIND/NAME"}, {"NAME", "names or ids", false, true}},
          .examples = {{"mcpctl describe mcptoken agent -p demo", "what it may call, why, and how it was used"},
                       {"mcpctl describe server grafana", "its instances, its last error, its tools"},
                       {"mcpctl describe user bob@example.com", "direct and inherited access"}},
          .description = "Tables for people; `-o json` has the same as data."};
}

const Flag kFiles{.name = "filename",
                  .placeholder = "FILE",
                  .help = "a file, a folder, or - for standard input",
                  .letter = 'f',
                  .repeatable = true,
                  .required = true};
const Flag kRecursive{
    .name = "recursive", .help = "folders with all below them", .type = FlagType::kBoolean, .letter = 'R'};

Command apply() {
  return {.path = "apply",
          .summary = "Make what files say what is there",
          .handler = run_apply,
          .flags = {kFiles,
                    kRecursive,
                    {.name = "dry-run",
                     .help = "client: judge the files alone; server: do everything, and take it back",
                     .type = FlagType::kEnum,
                     .choices = "none|client|server",
                     .default_text = "none"},
                    {.name = "continue",
                     .help = "apply each object by itself, and the others when one is refused",
                     .type = FlagType::kBoolean}},
          .examples = {{"mcpctl apply -f demo.yaml", ""},
                       {"mcpctl apply -f deploy/ -R --dry-run=server", "every check, nothing kept"},
                       {"mcpctl get all -o yaml | mcpctl apply -f -", "changes nothing"}},
          .description =
              "YAML or JSON, several documents, each an object with its `kind`, a `List`, or groups like `servers:` "
              "and `projects:`. All of it is one transaction: when one object is refused, nothing is applied. Objects "
              "are written in the order of their references, whatever that of the files. A field that is not in the "
              "file gets its default; a secret's value `***` stays what it is; an object with a `version` is refused "
              "when it has changed since. Tokens never change: one that is there is skipped. A line for each object: "
              "created, configured, unchanged or skipped."};
}

Command diff() {
  return {.path = "diff",
          .summary = "Show what `apply` would change",
          .handler = run_diff,
          .flags = {kFiles, kRecursive},
          .examples = {{"mcpctl diff -f demo.yaml", ""}, {"mcpctl diff -f deploy/ -R || echo \"not as declared\"", ""}},
          .description =
              "The server makes every check of `apply` and takes it back. Values of secrets are never shown, only that "
              "they change.",
          .exit_codes = {{0, "nothing differs"},
                         {1, "there are differences"},
                         {2, "it could not be compared"},
                         {4, "not logged in, or the server refused the credential"},
                         {64, "the command line or a file is wrong"}},
          .takes_format = false};
}

Command edit() {
  return {
      .path = "edit",
      .summary = "Change one object in your editor",
      .handler = run_edit,
      .arguments = {{"RESOURCE", "a kind, or KIND/NAME"}, {"NAME", "name or id", false}},
      .examples = {{"mcpctl edit server grafana", ""}, {"MCPCTL_EDITOR=nano mcpctl edit project demo", ""}},
      .description =
          "The editor is $MCPCTL_EDITOR, $VISUAL or $EDITOR, otherwise vi. A draft that is refused comes back with the "
          "reason at its top; one that is given up stays in its file. Somebody else's change meanwhile is never "
          "overwritten.",
      .takes_format = false};
}

Command patch() {
  return {.path = "patch",
          .summary = "Change some fields of one object",
          .handler = run_patch,
          .arguments = {{"RESOURCE", "a kind, or KIND/NAME"},
                        {"NAME KEY=VALUE", "the name, and the changes", true, true, "change"}},
          .flags = {{.name = "dry-run",
                     .help = "server: do everything, and take it back",
                     .type = FlagType::kEnum,
                     .choices = "none|server",
                     .default_text = "none"}},
          .examples = {{"mcpctl patch server files description=\"all of them\" replicas=2", ""},
                       {"mcpctl patch project demo labels.env=prod prompt-", "sets a label, removes the prompt"},
                       {"mcpctl patch group/team members='[\"bob@example.com\"]'", "lists are JSON"}},
          .description = "KEY- removes a field. A value is text where the field is text, otherwise JSON."};
}

Command explain() {
  return {
      .path = "explain",
      .summary = "Describe a kind and its fields",
      .handler = run_explain,
      .arguments = {{.name = "KIND[.FIELD]", .help = "a kind, or a field of it with dots", .completes = "explained"}},
      .flags = {{.name = "recursive", .help = "with all fields below", .type = FlagType::kBoolean, .letter = 'R'}},
      .examples = {{"mcpctl explain server", ""}, {"mcpctl explain server.healthCheck", ""}},
      .takes_format = false};
}

Command wait() {
  return {.path = "wait",
          .summary = "Wait until objects are ready, or gone",
          .handler = run_wait,
          .arguments = {{"RESOURCE", "a kind, or KIND/NAME"}, {"NAME", "names or ids", false, true}},
          .flags = {{.name = "for",
                     .help = "what to wait for",
                     .type = FlagType::kEnum,
                     .choices = "ready|deleted",
                     .required = true},
                    {.name = "timeout",
                     .placeholder = "SECONDS",
                     .help = "how long at most",
                     .type = FlagType::kSeconds,
                     .default_text = "60"}},
          .examples = {{"mcpctl wait server/grafana --for=ready --timeout 30", ""},
                       {"mcpctl wait project/demo --for=deleted", ""}},
          .description =
              "Ready: a server with an instance that runs and answers, a token that is active, anything else that is "
              "there. A server that nobody has called has no instance yet: call it, or `mcpctl test mcp` its project.",
          .exit_codes = {{0, "it is so"},
                         {1, "it is not so in time, or it could not be asked"},
                         {4, "not logged in, or the server refused the credential"},
                         {64, "the command line is wrong"}},
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

CommandGroup basic_commands(const Kinds& kinds) {
  CommandGroup group{.title = "Basic commands", .branches = {{"create", "Create an object"}}};
  group.commands = {get(), describe(), remove(), apply(), diff(), edit(), patch(), explain(), wait()};
  for (const Kind& kind : kinds.all()) {
    if (kind.can("create") && kind.name != "mcptoken") group.commands.push_back(create_kind(kind));
  }
  return group;
}

}  // namespace mcpctl
