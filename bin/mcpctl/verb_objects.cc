// create and delete for every kind of the table, and approval of prompt requests.
#include <map>

#include "api.h"
#include "create_body.h"
#include "files.h"
#include "sanitize.h"
#include "target.h"
#include "terminal.h"
#include "verbs.h"

namespace mcpctl {
namespace {

// One object after it was made: a line for people, the object for programs.
Status show_made(const Kind& kind, JsonValue object, const std::string& name, const char* done,
                 const Settings& settings) {
  if (is_human(settings.format)) return write_out(kind.name + "/" + name + " " + done + "\n");
  MCPCTL_TRY(const std::string text, format_objects(kind, {object}, false, look_of(settings)));
  return write_out(text);
}

Status confirm_delete(const Target& target, const Invocation& invocation) {
  const bool project = target.kind->name == "project";
  const bool many_tokens = target.kind->name == "mcptoken" && target.names.size() > 1;
  if (invocation.is_set("yes") || (!project && !many_tokens)) return Done{};
  const std::string count = std::to_string(target.names.size());
  const std::string question =
      project ? "Delete " + (target.names.size() == 1 ? "project " + target.names.front() : count + " projects") +
                    " and all of its tokens?"
              : "Revoke " + count + " tokens?";
  MCPCTL_TRY(const bool yes, confirm(question, "add --yes"));
  return yes ? Status(Done{}) : Failure{kExitFailed, "nothing was deleted", {}, {}, {}};
}

}  // namespace

Result<int> run_create(Application& app, const Invocation& invocation) {
  const Kind& kind = *invocation.command->kind;
  const std::string& name = invocation.arguments.front();
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  MCPCTL_TRY(Api api, Api::open(settings, true));
  const std::string what = "cannot create " + kind.name + "/" + name;
  const Inputs inputs{[] {
                        auto text = read_standard_input();
                        return text.ok() ? Result<std::string>(without_line_break(std::move(*text))) : text;
                      },
                      [&](const std::string& label) {
                        return can_ask() ? ask_new_secret(label + " for " + name + " (empty: none)")
                                         : Result<std::string>("");
                      }};
  MCPCTL_TRY(const Bytes body, create_body(kind, name, settings.project, invocation, inputs));
  auto answer = api.call("POST", "/" + kind.plural, view_of(body), what);
  const char* done = "created";
  if (!answer.ok() && answer.failure().status == MCPTOKEN_EXISTS) {
    if (!invocation.is_set("force")) {
      if (answer.failure().hint.empty()) answer.failure().hint = "add --force to replace it";
      return answer.failure();
    }
    answer = api.call("PUT", api.path_of(kind, name), view_of(body), "cannot replace " + kind.name + "/" + name);
    done = "replaced";
  }
  if (!answer.ok()) return answer.failure();
  const JsonValue warnings = answer->root().get("warnings");
  for (size_t i = 0; i < warnings.size(); ++i)
    write_err("warning: " + sanitize_line(warnings.at(i).text()) + "\n");
  MCPCTL_CHECK(show_made(kind, answer->root(), name, done, settings));
  return kExitOk;
}

namespace {

// Each word: SERVER/TOOL. The name of a tool may hold slashes, that of a server does not.
Result<int> approve_tools(Application& app, const Invocation& invocation, const std::vector<std::string>& words) {
  if (words.empty()) return usage_failure("SERVER/TOOL is missing", "see: mcpctl approve --help");
  std::map<std::string, std::vector<std::string>> tools;
  for (const std::string& word : words) {
    const size_t slash = word.find('/');
    if (slash == 0 || slash == std::string::npos || slash + 1 == word.size())
      return usage_failure("\"" + word + "\" is not of the form SERVER/TOOL");
    tools[word.substr(0, slash)].push_back(word.substr(slash + 1));
  }
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  MCPCTL_TRY(Api api, Api::open(settings, true));
  int code = kExitOk;
  for (const auto& [server, names] : tools) {
    JsonWriter body;
    body.begin_object().members("tools", names).end_object();
    MCPCTL_TRY(const Bytes text, body.finish());
    const auto answer = api.call("POST", "/servers/" + url_encode(server) + "/approve", view_of(text),
                                 "cannot approve tools of server/" + server);
    if (!answer.ok()) {
      report(answer.failure());
      code = answer.failure().exit_code;
      continue;
    }
    for (const std::string& name : names)
      MCPCTL_CHECK(write_out("tool/" + sanitize_line(server + "/" + name) + " approved\n"));
  }
  return code;
}

}  // namespace

Result<int> run_approve(Application& app, const Invocation& invocation) {
  const std::string& word = invocation.arguments.front();
  std::vector<std::string> rest(invocation.arguments.begin() + 1, invocation.arguments.end());
  if (word == "tool" || word == "tools") return approve_tools(app, invocation, rest);
  if (word.starts_with("tool/")) {
    rest.insert(rest.begin(), word.substr(5));
    return approve_tools(app, invocation, rest);
  }
  MCPCTL_TRY(const Target target, target_of(app.kinds(), invocation, "get"));
  if (target.kind->name != "promptrequest") return usage_failure("only a promptrequest or a tool is approved");
  if (target.names.empty()) return usage_failure("NAME is missing", "see: mcpctl approve --help");
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  MCPCTL_TRY(Api api, Api::open(settings, true));
  int code = kExitOk;
  for (const std::string& name : target.names) {
    std::string path = "/promptrequests/" + url_encode(name) + "/approve";
    if (!settings.project.empty()) path += "?project=" + url_encode(settings.project);
    const auto answer = api.call("POST", path, {}, "cannot approve promptrequest/" + name);
    if (!answer.ok()) {
      report(answer.failure());
      code = answer.failure().exit_code;
      continue;
    }
    MCPCTL_CHECK(
        show_made(*app.kinds().find("prompt"), answer->root(), answer->root().text("name"), "created", settings));
  }
  return code;
}

Result<int> run_delete(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(const Target target, target_of(app.kinds(), invocation, "delete"));
  if (target.names.empty()) return usage_failure("NAME is missing", "see: mcpctl delete --help");
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  MCPCTL_TRY(Api api, Api::open(settings, true));
  MCPCTL_CHECK(confirm_delete(target, invocation));
  const Kind& kind = *target.kind;
  const bool cascade = invocation.is_set("cascade");
  if (cascade && kind.name != "user") return usage_failure("--cascade is for users: it revokes their tokens");
  int code = kExitOk;
  for (const std::string& name : target.names) {
    const std::string full = kind.name + "/" + name;
    auto answer =
        api.call("DELETE", api.path_of(kind, name) + (cascade ? "?cascade=true" : ""), {}, "cannot delete " + full);
    if (!answer.ok()) {
      if (kind.name == "user" && !cascade && answer.failure().status == MCPTOKEN_CONFLICT &&
          answer.failure().hint.empty()) {
        answer.failure().hint = "add --cascade to revoke the user's tokens, too";
      }
      report(answer.failure());
      code = answer.failure().exit_code;
      continue;
    }
    const char* done = kind.name == "mcptoken" ? " revoked\n" : " deleted\n";
    MCPCTL_CHECK(write_out(settings.format == Format::kName ? full + "\n" : full + done));
  }
  return code;
}

}  // namespace mcpctl
