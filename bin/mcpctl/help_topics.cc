// `mcpctl help TOPIC`: what is about more than one command.
#include <algorithm>

#include "help_parts.h"

namespace mcpctl {
namespace {

std::string environment(const CommandTable&) {
  std::string out = "A flag beats the environment, the environment beats the configuration file.\n\n";
  for (const Named& row : environment_rows()) {
    const std::string name = row.name;
    out += "  " + name + std::string(name.size() < 16 ? 16 - name.size() : 1, ' ') + row.help + "\n";
  }
  return out + "\nWhat is used, and where it comes from: mcpctl config view --origin\n";
}

std::string codes_text(const std::vector<ExitCode>& codes) {
  std::string out;
  for (const ExitCode& row : codes) {
    const std::string code = std::to_string(row.code);
    out += "  " + code + std::string(code.size() < 4 ? 4 - code.size() : 1, ' ') + row.meaning + "\n";
  }
  return out;
}

std::string exit_codes(const CommandTable& table) {
  std::string out = "All commands but those below:\n" + codes_text(CommandTable::common_exit_codes());
  for (const Command& command : table.all()) {
    if (!command.hidden && !command.exit_codes.empty())
      out += "\nmcpctl " + command.path + ":\n" + codes_text(command.exit_codes);
  }
  return out;
}

std::string output(const CommandTable&) {
  return "Data goes to standard output, everything else to standard error.\n\n"
         "  -o table            for people; the default\n"
         "  -o wide             with ids and times of changes\n"
         "  -o json             every member; several objects are {\"kind\": \"List\", \"items\": […]}\n"
         "  -o yaml             what `apply` takes: without what the server sets by itself\n"
         "  -o name             KIND/NAME, a line each\n"
         "  -o jsonpath=…       kubectl's templates: '{range .items[*]}{.name}{\"\\n\"}{end}'\n"
         "  -o custom-columns=… NAME:.name,SERVERS:.servers[*].server\n\n"
         "Lists: --no-headers, --sort-by .createdAt, -l env=prod, --field-selector 'status=active,expiresAt<7d', -w.\n"
         "Fields of a kind: mcpctl explain KIND\n";
}

std::string tokens(const CommandTable&) {
  return "A project token opens the MCP endpoint of one project and has no more rights than its owner has.\n\n"
         "  mcpctl create mcptoken agent -p demo --rbac clone --ttl 30d   shown once, on standard output alone\n"
         "  mcpctl create mcptoken agent -p demo --bind role:run,resource:tools,name:grafana/query_*\n"
         "  mcpctl create mcptoken agent -p demo --rbac clone --save      kept for `mcp` and `proxy`\n"
         "  mcpctl describe mcptoken agent -p demo                        what it may call, and why\n"
         "  mcpctl get mcptokens --unused 30d                             what can be revoked\n"
         "  mcpctl rotate mcptoken agent -p demo --grace 1h               the old one goes on for an hour\n"
         "  mcpctl delete mcptoken agent -p demo                          in force when this returns\n"
         "  mcpctl token scan .                                           raw tokens in files\n\n"
         "Give one to a command with --token-file or MCPCTL_TOKEN: what is on a command line, others can see.\n";
}

std::string rbac(const CommandTable&) {
  return "A definition gives its subjects roles on kinds of objects, on single ones, or operations.\n\n"
         "  mcpctl create rbac readers --subject Group:team --roleBindings role:view,resource:servers\n"
         "  mcpctl create rbac queries --subject User:ada@example.com \\\n"
         "    --roleBindings role:run,resource:tools,name:grafana/query_* --roleBindings action:logs\n\n"
         "Roles: view, create, delete, edit (all of these and expose), expose, run. Nobody gives away what they do not "
         "have.\n\n"
         "  mcpctl auth can-i edit servers grafana --explain              which binding decides, or what is missing\n"
         "  mcpctl auth can-i --list --as User:ada@example.com\n"
         "  mcpctl describe user ada@example.com                          direct and inherited access\n";
}

std::string clients(const CommandTable&) {
  return "  mcpctl connect --list                     the clients, and where each gets the token from\n"
         "  mcpctl connect codex -p demo --write      into the client's file, which keeps all else, comments too\n"
         "  mcpctl mcp -p demo                        for clients that start their servers\n"
         "  mcpctl proxy -p demo                      for vLLM and SGLang, which send no header\n"
         "  mcpctl test mcp URL --expect-tools a,b    proof from outside, with exit codes\n"
         "  mcpctl doctor                             what stands between you and a working endpoint\n";
}

struct Topic {
  const char* name;
  const char* summary;
  std::string (*text)(const CommandTable& table);
};
constexpr Topic kTopics[] = {{"environment", "Variables that mcpctl reads", environment},
                             {"exit-codes", "What mcpctl's exit codes mean", exit_codes},
                             {"output", "Formats of the output, and lists", output},
                             {"tokens", "Project tokens, from making to revoking", tokens},
                             {"rbac", "Roles, bindings and questions about them", rbac},
                             {"clients", "MCP clients and a project's endpoint", clients}};

}  // namespace

std::vector<Named> help_topics() {
  std::vector<Named> rows;
  for (const Topic& topic : kTopics)
    rows.push_back({topic.name, topic.summary});
  return rows;
}

std::string topic_text(const CommandTable& table, std::string_view name) {
  const auto found =
      std::find_if(std::begin(kTopics), std::end(kTopics), [&](const Topic& t) { return t.name == name; });
  return found == std::end(kTopics) ? std::string() : found->summary + std::string(".\n\n") + found->text(table);
}

}  // namespace mcpctl
