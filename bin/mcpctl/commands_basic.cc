// Rows of the command table: objects of every kind.
#include "command_group.h"
#include "create_body.h"
#include "verbs.h"

namespace mcpctl {
namespace {

const Flag kForce{.name = "force", .help = "replace an existing object of that name", .type = FlagType::kBoolean};

Command get() {
  return {.path = "get",
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
  group.commands = {get(), remove()};
  for (const Kind& kind : kinds.all()) {
    if (kind.can("create") && kind.name != "mcptoken") group.commands.push_back(create_kind(kind));
  }
  return group;
}

}  // namespace mcpctl
