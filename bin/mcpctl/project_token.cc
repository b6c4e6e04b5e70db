#include "project_token.h"

#include <mcptoken/token.h>

#include "api.h"
#include "files.h"

namespace mcpctl {
namespace {

Status check_token(const std::string& token, const std::string& from) {
  int32_t kind = 0;
  mcptoken_error* error = nullptr;
  const mcptoken_status status = mcptoken_token_classify(token.data(), token.size(), &kind, &error);
  const Error detail(error);
  const char* hint = "a project's token begins with mcpctl_pat_: mcpctl create mcptoken NAME -p PROJECT";
  if (status != MCPTOKEN_OK) return Failure{kExitUsage, "what is in " + from + " is no token", {}, hint, {}};
  if (kind != MCPTOKEN_TOKEN_PAT)
    return Failure{
        kExitUsage, "what is in " + from + " is a login session", "MCP endpoints take project tokens", hint, {}};
  return Done{};
}

// The kept token of the project; without a project the only one that is kept for the server.
Result<ProjectToken> kept_token(const Settings& settings) {
  MCPCTL_TRY(const Credentials credentials,
             Credentials::load(settings.credentials_path, settings.earlier_credentials_path));
  const auto server = credentials.tokens.find(settings.server);
  const char* hint = "mcpctl create mcptoken NAME -p PROJECT --save, or --token-file FILE, or MCPCTL_TOKEN";
  if (server == credentials.tokens.end() || server->second.empty())
    return Failure{kExitNotAuthenticated, "there is no token for " + settings.server, {}, hint, {}};
  const auto& projects = server->second;
  if (settings.project.empty() && projects.size() == 1)
    return ProjectToken{{}, projects.begin()->first, projects.begin()->second};
  const auto found = projects.find(settings.project);
  if (found != projects.end()) return ProjectToken{{}, found->first, found->second};
  std::string kept;
  for (const auto& [project, token] : projects)
    kept += (kept.empty() ? "" : ", ") + project;
  if (settings.project.empty()) return usage_failure("which project? tokens are kept of " + kept, "add -p PROJECT");
  return Failure{
      kExitNotAuthenticated, "no token is kept of project " + settings.project, "there are of " + kept, hint, {}};
}

}  // namespace

Flag token_file_flag() {
  return {.name = "token-file", .placeholder = "FILE", .help = "file with the token; - is standard input"};
}

Result<std::string> read_token_file(const std::string& path) {
  std::string token;
  if (path == "-") {
    MCPCTL_TRY(token, read_standard_input());
  } else {
    MCPCTL_TRY(const std::optional<std::string> text, read_file(path, false));
    if (!text) return Failure{kExitUsage, "cannot read the token", "there is no file " + path, {}, {}};
    token = *text;
  }
  token = without_line_break(std::move(token));
  if (token.empty()) return Failure{kExitUsage, "the token in " + path + " is empty", {}, {}, {}};
  return token;
}

Result<ProjectToken> project_token(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  ProjectToken found;
  if (invocation.has("token-file")) {
    found.project = settings.project;
    MCPCTL_TRY(found.token, read_token_file(invocation.text("token-file")));
    MCPCTL_CHECK(check_token(found.token, invocation.text("token-file")));
  } else if (settings.token_from_environment) {
    found.project = settings.project;
    found.token = settings.token;
    MCPCTL_CHECK(check_token(found.token, "MCPCTL_TOKEN"));
  } else {
    MCPCTL_TRY(found, kept_token(settings));
  }
  found.url = settings.server + (found.project.empty() ? "" : "/projects/" + url_encode(found.project)) + "/mcp";
  return found;
}

}  // namespace mcpctl
