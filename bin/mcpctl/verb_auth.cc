// bootstrap, login, logout, passwd, whoami.
#include "api.h"
#include "files.h"
#include "sanitize.h"
#include "terminal.h"
#include "verbs.h"

namespace mcpctl {
namespace {

Result<std::string> password_of(const Invocation& invocation, const std::string& label, bool is_new) {
  if (invocation.is_set("password-stdin")) {
    MCPCTL_TRY(std::string text, read_standard_input());
    text = without_line_break(std::move(text));
    if (text.empty()) return usage_failure("the password on standard input is empty");
    return text;
  }
  const std::string hint = "add --password-stdin and give it on standard input";
  MCPCTL_TRY(std::string text, is_new ? ask_new_secret(label, hint) : ask_secret(label, hint));
  if (text.empty()) return Failure{kExitFailed, "the " + label + " is empty", {}, {}, {}};
  return text;
}

// Passwords, codes and tokens of the environment are not sent with a request that makes a session.
Settings anonymous(Settings settings) {
  settings.token.clear();
  settings.token_from_environment = false;
  return settings;
}

Result<JsonDocument> send(Api& api, const char* method, const std::string& path,
                          std::initializer_list<std::pair<const char*, std::string>> members, const std::string& what) {
  JsonWriter writer;
  writer.begin_object();
  for (const auto& [name, value] : members)
    writer.member(name, value);
  writer.end_object();
  MCPCTL_TRY(const Bytes body, writer.finish());
  return api.call(method, path, view_of(body), what);
}

Result<JsonDocument> post_login(Api& api, const Settings& settings, const std::string& email,
                                const std::string& password) {
  auto answer = send(api, "POST", "/auth/login", {{"email", email}, {"password", password}},
                     "cannot log in to " + settings.server + " as " + email);
  // "Log in first" would be no help here.
  if (!answer.ok() && answer.failure().status == MCPTOKEN_UNAUTHENTICATED) {
    answer.failure().hint = "check the e-mail address and the password";
  }
  return answer;
}

Result<int> keep_session(JsonValue answer, const Settings& settings, const std::string& email) {
  const std::string token = answer.text("token");
  if (token.empty()) return Failure{kExitFailed, "cannot log in", "the answer holds no session", {}, {}};
  MCPCTL_CHECK(
      Credentials::change(settings.credentials_path, settings.earlier_credentials_path, [&](Credentials& credentials) {
        credentials.sessions[settings.server] = {token, email, answer.text("expiresAt")};
        credentials.server = settings.server;
      }));
  MCPCTL_CHECK(write_out("Logged in to " + settings.server + " as " + sanitize_line(email) + ".\n"));
  if (process_environment("MCPCTL_TOKEN")) write_err("Note: MCPCTL_TOKEN is set and beats this login.\n");
  return kExitOk;
}

}  // namespace

Result<int> run_bootstrap(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(const Settings found, app.settings(invocation));
  const Settings settings = anonymous(found);
  const std::string email = invocation.arguments.front();
  const std::string path =
      invocation.has("code-file") ? invocation.text("code-file") : default_code_file(app.environment());
  MCPCTL_TRY(const std::optional<std::string> text, read_file(path, false));
  if (!text) {
    return Failure{
        kExitFailed,
        "cannot read the bootstrap code",
        "there is no file " + path,
        "mcpd writes bootstrap-code to its data folder at the first start, until there is a user; name it with "
        "--code-file FILE",
        {}};
  }
  std::string code = *text;
  code.erase(code.find_last_not_of(" \t\r\n") + 1);
  MCPCTL_TRY(const std::string password, password_of(invocation, "new password", true));
  MCPCTL_TRY(Api api, Api::open(settings, false));
  MCPCTL_TRY(const JsonDocument made,
             send(api, "POST", "/auth/bootstrap", {{"email", email}, {"password", password}, {"code", code}},
                  "cannot bootstrap " + settings.server));
  MCPCTL_CHECK(write_out("Created user " + sanitize_line(email) + ".\n"));
  if (!made.root().text("token").empty()) return keep_session(made.root(), settings, email);
  MCPCTL_TRY(const JsonDocument answer, post_login(api, settings, email, password));
  return keep_session(answer.root(), settings, email);
}

Result<int> run_login(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(const Settings found, app.settings(invocation));
  const Settings settings = anonymous(found);
  const std::string email = invocation.text("email");
  MCPCTL_TRY(Api api, Api::open(settings, false));
  MCPCTL_TRY(const std::string password, password_of(invocation, "password of " + email, false));
  MCPCTL_TRY(const JsonDocument answer, post_login(api, settings, email, password));
  return keep_session(answer.root(), settings, email);
}

Result<int> run_logout(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(Settings settings, app.settings(invocation));
  MCPCTL_TRY(const Credentials credentials,
             Credentials::load(settings.credentials_path, settings.earlier_credentials_path));
  const auto session = credentials.sessions.find(settings.server);
  if (session == credentials.sessions.end()) {
    return Failure{kExitNotAuthenticated, "not logged in to " + settings.server, {}, {}, {}};
  }
  settings.token = session->second.token;
  settings.token_from_environment = false;
  MCPCTL_TRY(Api api, Api::open(settings, true));
  const auto answer = api.call("POST", "/auth/logout", {}, "cannot end the session at " + settings.server);
  // A session that the server does not know any more is ended already; otherwise it must not be forgotten while it
  // lives.
  if (!answer.ok() && answer.failure().status != MCPTOKEN_UNAUTHENTICATED) return answer.failure();
  MCPCTL_CHECK(
      Credentials::change(settings.credentials_path, settings.earlier_credentials_path, [&](Credentials& stored) {
        stored.sessions.erase(settings.server);
        if (stored.server == settings.server) stored.server.clear();
      }));
  MCPCTL_CHECK(write_out("Logged out of " + settings.server + ".\n"));
  return kExitOk;
}

// One's own password with the old one, or, with a name, that of somebody else.
Result<int> run_passwd(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  MCPCTL_TRY(Api api, Api::open(settings, true));
  const bool own = invocation.arguments.empty();
  std::string current, fresh;
  if (invocation.is_set("password-stdin")) {
    MCPCTL_TRY(std::string text, read_standard_input());
    text = without_line_break(std::move(text));
    const size_t line = text.find('\n');
    if (own && line == std::string::npos) {
      return usage_failure("standard input must hold the present password and the new one, a line each");
    }
    if (own) current = text.substr(0, line);
    fresh = own ? text.substr(line + 1) : text;
  } else {
    if (own) {
      MCPCTL_TRY(current, password_of(invocation, "present password", false));
    }
    MCPCTL_TRY(fresh, password_of(invocation, "new password", true));
  }
  const std::string whose = own ? "your password" : "the password of " + invocation.arguments.front();
  const auto changed = own ? send(api, "POST", "/users/me/password", {{"current", current}, {"password", fresh}},
                                  "cannot change " + whose)
                           : send(api, "PUT", "/users/" + url_encode(invocation.arguments.front()) + "/password",
                                  {{"password", fresh}}, "cannot change " + whose);
  if (!changed.ok()) return changed.failure();
  MCPCTL_CHECK(write_out("Changed " + sanitize_line(whose) +
                         (own ? "; your other sessions ended.\n" : "; all sessions ended.\n")));
  return kExitOk;
}

Result<int> run_whoami(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  MCPCTL_TRY(Api api, Api::open(settings, true));
  MCPCTL_TRY(const JsonDocument answer, api.call("GET", "/auth/whoami", {}, "cannot ask who you are"));
  MCPCTL_TRY(const std::string text, format_record(answer.root(), look_of(settings)));
  MCPCTL_CHECK(write_out(text));
  return kExitOk;
}

}  // namespace mcpctl
