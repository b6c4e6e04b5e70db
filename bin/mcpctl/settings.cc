#include "settings.h"

#include <mcptoken/token.h>

#include <cstdlib>
#include <initializer_list>

#include "files.h"
#include "suggest.h"
#include "yaml_text.h"

namespace mcpctl {
namespace {

Failure bad_config(const std::string& path, const std::string& why, const std::string& hint = {}) {
  return {kExitUsage, path + ": " + why, {}, hint, {}};
}

// Every member of `object` is one of `allowed`, and text unless it is a mapping.
Status check_members(const std::string& path, const std::string& where, JsonValue object,
                     std::initializer_list<const char*> allowed) {
  if (!object.is_object()) return bad_config(path, where + " must be a mapping");
  for (size_t i = 0; i < object.size(); ++i) {
    const std::string key(object.key(i));
    std::string known;
    bool found = false;
    for (const char* name : allowed) {
      found = found || key == name;
      known += (known.empty() ? "" : ", ") + std::string(name);
    }
    if (!found) {
      const std::string guess = did_you_mean(key, {allowed.begin(), allowed.end()});
      return bad_config(path, "unknown key \"" + key + "\" in " + where, guess.empty() ? "known: " + known : guess);
    }
    if (!object.at(i).is_string() && !object.at(i).is_object()) {
      return bad_config(path, "\"" + key + "\" in " + where + " must be text");
    }
  }
  return Done{};
}

std::string folder_of(const Environment& environment, const char* variable, const char* below_home) {
  if (const auto folder = environment(variable); folder && folder->front() == '/') return *folder;
  return environment("HOME").value_or("") + below_home;
}

std::string config_folder(const Environment& environment) {
  return folder_of(environment, "XDG_CONFIG_HOME", "/.config") + "/mcpctl";
}

std::string config_path(const Environment& environment) {
  return environment("MCPCTL_CONFIG").value_or(config_folder(environment) + "/config.yaml");
}

// In ~/.mcpctl, the folder of earlier versions; "" without a home.
std::string earlier_path(const Environment& environment, const char* file) {
  const auto home = environment("HOME");
  return home ? *home + "/.mcpctl/" + file : std::string();
}

Result<std::optional<std::string>> read_either(const std::string& path, const std::string& earlier, bool only_owner) {
  auto text = read_file(path, only_owner);
  if (!text.ok() || *text || earlier.empty()) return text;
  return read_file(earlier, only_owner);
}

// What MCPCTL_CONFIG names must be there; the file of ~/.mcpctl is read while there is none of our own.
Result<std::optional<std::string>> read_config(const Environment& environment) {
  const bool named = environment("MCPCTL_CONFIG").has_value();
  return read_either(config_path(environment), named ? "" : earlier_path(environment, "config.yaml"), false);
}

std::string first_of(std::initializer_list<std::string> candidates) {
  for (const std::string& candidate : candidates) {
    if (!candidate.empty()) return candidate;
  }
  return {};
}

void write_session(JsonWriter& writer, const Credentials::Session& session) {
  writer.begin_object().member("token", session.token).member("user", session.user);
  writer.member("expiresAt", session.expires_at).end_object();
}

}  // namespace

std::optional<std::string> process_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

Result<Credentials> Credentials::load(const std::string& path, const std::string& earlier) {
  Credentials credentials;
  MCPCTL_TRY(const std::optional<std::string> text, read_either(path, earlier, true));
  if (!text) return credentials;
  MCPCTL_TRY(const JsonDocument document, read_yaml(*text, path));
  const JsonValue root = document.root();
  credentials.server = root.text("server");
  const JsonValue sessions = root.get("sessions");
  for (size_t i = 0; i < sessions.size(); ++i) {
    const JsonValue one = sessions.at(i);
    credentials.sessions[std::string(sessions.key(i))] = {one.text("token"), one.text("user"), one.text("expiresAt")};
  }
  const JsonValue tokens = root.get("tokens");
  for (size_t i = 0; i < tokens.size(); ++i) {
    auto& projects = credentials.tokens[std::string(tokens.key(i))];
    const JsonValue one = tokens.at(i);
    for (size_t k = 0; k < one.size(); ++k)
      projects[std::string(one.key(k))] = one.at(k).text();
  }
  return credentials;
}

Status Credentials::save(const std::string& path) const {
  JsonWriter writer;
  writer.begin_object().member("server", server).key("sessions").begin_object();
  for (const auto& [url, session] : sessions)
    write_session(writer.key(url), session);
  writer.end_object().key("tokens").begin_object();
  for (const auto& [url, projects] : tokens) {
    writer.key(url).begin_object();
    for (const auto& [project, token] : projects)
      writer.member(project, token);
    writer.end_object();
  }
  writer.end_object().end_object();
  MCPCTL_TRY(const Bytes json, writer.finish());
  MCPCTL_TRY(const JsonDocument document, JsonDocument::parse(view_of(json), "the credentials"));
  MCPCTL_TRY(PendingFile file, PendingFile::open(path));
  return file.commit(write_yaml(document.root()));
}

Status Credentials::change(const std::string& path, const std::string& earlier,
                           const std::function<void(Credentials&)>& edit) {
  const std::string folder = path.substr(0, path.rfind('/'));
  MCPCTL_CHECK(make_folder(folder));
  MCPCTL_TRY(const FolderLock lock, FolderLock::take(folder));
  MCPCTL_TRY(Credentials credentials, load(path, earlier));
  edit(credentials);
  return credentials.save(path);
}

namespace {

Failure no_context(const std::string& path, JsonValue contexts, const std::string& name) {
  std::vector<std::string> names;
  for (size_t i = 0; i < contexts.size(); ++i)
    names.emplace_back(contexts.key(i));
  const std::string guess = did_you_mean(name, names);
  return bad_config(path, "there is no context \"" + name + "\"",
                    guess.empty() ? "see: mcpctl config get-contexts" : guess);
}

}  // namespace

Result<Context> context_of(const std::string& text, const std::string& path, const std::string& wanted) {
  MCPCTL_TRY(const JsonDocument document, read_yaml(text, path));
  Context context;
  context.name = wanted;
  if (document.root().has_content()) {
    MCPCTL_CHECK(check_members(path, "the file", document.root(), {"current-context", "contexts"}));
    if (wanted.empty()) context.name = document.root().text("current-context");
  }
  if (context.name.empty()) return context;
  const JsonValue entry = document.root().get("contexts").get(context.name);
  if (!entry.present()) return no_context(path, document.root().get("contexts"), context.name);
  MCPCTL_CHECK(check_members(path, "context \"" + context.name + "\"", entry, {"server", "project", "output"}));
  context.server = entry.text("server");
  context.project = entry.text("project");
  context.output = entry.text("output");
  return context;
}

namespace {

Result<Context> load_context(const Invocation& invocation, const Environment& environment) {
  const std::string wanted = first_of({invocation.text("context"), environment("MCPCTL_CONTEXT").value_or("")});
  const std::string path = config_path(environment);
  MCPCTL_TRY(const std::optional<std::string> text, read_config(environment));
  if (!text && environment("MCPCTL_CONFIG"))
    return bad_config(path, "there is no such file", "unset MCPCTL_CONFIG or create it");
  return context_of(text.value_or(""), path, wanted);
}

Status load_format(const Invocation& invocation, const Environment& environment, const Context& context,
                   Settings& settings) {
  // test mcp has formats of its own under the same flag.
  const bool own = invocation.command != nullptr && invocation.command->flag("output") != nullptr;
  const auto variable = environment("MCPCTL_OUTPUT");
  std::string text = context.output, origin = "context \"" + context.name + "\"";
  if (variable) text = *variable, origin = "MCPCTL_OUTPUT";
  if (!own && invocation.has("output")) text = invocation.text("output"), origin = "--output";
  if (text.empty()) return Done{};
  MCPCTL_TRY(settings.format, format_of(text, origin));
  settings.expression = expression_of(text);
  settings.output = text;
  return Done{};
}

}  // namespace

std::vector<std::string> context_names(const Environment& environment) {
  std::vector<std::string> names;
  const std::string path = config_path(environment);
  const auto text = read_config(environment);
  if (!text.ok() || !*text) return names;
  const auto document = read_yaml(**text, path);
  if (!document.ok()) return names;
  const JsonValue contexts = document->root().get("contexts");
  for (size_t i = 0; i < contexts.size(); ++i)
    names.emplace_back(contexts.key(i));
  return names;
}

Result<Settings> load_settings(const Invocation& invocation, const Environment& environment) {
  Settings settings;
  MCPCTL_TRY(const Context context, load_context(invocation, environment));
  MCPCTL_CHECK(load_format(invocation, environment, context, settings));
  settings.headers = !invocation.is_set("no-headers");
  settings.project =
      first_of({invocation.text("project"), environment("MCPCTL_PROJECT").value_or(""), context.project});
  settings.context = context.name;
  settings.credentials_path = config_folder(environment) + "/credentials";
  settings.earlier_credentials_path = earlier_path(environment, "credentials");
  MCPCTL_TRY(const Credentials credentials,
             Credentials::load(settings.credentials_path, settings.earlier_credentials_path));
  settings.server = first_of({invocation.text("mcpd-url"), environment("MCPCTL_SERVER").value_or(""), context.server,
                              credentials.server, kDefaultServer});
  while (settings.server.size() > 1 && settings.server.back() == '/')
    settings.server.pop_back();
  const auto session = credentials.sessions.find(settings.server);
  if (session != credentials.sessions.end()) {
    settings.user = session->second.user;
    settings.login = session->second.token;
  }
  if (const auto token = environment("MCPCTL_TOKEN")) {
    settings.token = *token;
    settings.token_from_environment = true;
  } else {
    settings.token = settings.login;
  }
  return settings;
}

Settings with_login(Settings settings) {
  int32_t kind = 0;
  const mcptoken_status known = mcptoken_token_classify(settings.token.data(), settings.token.size(), &kind, nullptr);
  if (!settings.token_from_environment || settings.login.empty() || known != MCPTOKEN_OK || kind != MCPTOKEN_TOKEN_PAT)
    return settings;
  settings.token = settings.login;
  settings.token_from_environment = false;
  return settings;
}

Result<Config> Config::load(const Environment& environment) {
  Config config;
  config.path = config_path(environment);
  MCPCTL_TRY(const std::optional<std::string> text, read_config(environment));
  MCPCTL_TRY(const JsonDocument document, read_yaml(text.value_or(""), config.path));
  if (!document.root().has_content()) return config;
  MCPCTL_CHECK(check_members(config.path, "the file", document.root(), {"current-context", "contexts"}));
  config.current = document.root().text("current-context");
  const JsonValue contexts = document.root().get("contexts");
  for (size_t i = 0; i < contexts.size(); ++i) {
    const std::string name(contexts.key(i));
    MCPCTL_TRY(config.contexts[name], context_of(*text, config.path, name));
  }
  return config;
}

Status Config::save() const {
  JsonWriter writer;
  writer.begin_object();
  if (!current.empty()) writer.member("current-context", current);
  writer.key("contexts").begin_object();
  for (const auto& [name, context] : contexts) {
    writer.key(name).begin_object();
    if (!context.server.empty()) writer.member("server", context.server);
    if (!context.project.empty()) writer.member("project", context.project);
    if (!context.output.empty()) writer.member("output", context.output);
    writer.end_object();
  }
  writer.end_object().end_object();
  MCPCTL_TRY(const Bytes json, writer.finish());
  MCPCTL_TRY(const JsonDocument document, JsonDocument::parse(view_of(json), "the configuration"));
  MCPCTL_CHECK(make_folder(path.substr(0, path.rfind('/'))));
  MCPCTL_TRY(PendingFile file, PendingFile::open(path));
  return file.commit(write_yaml(document.root()));
}

Result<Origins> origins_of(const Invocation& invocation, const Environment& environment) {
  MCPCTL_TRY(const Context context, load_context(invocation, environment));
  MCPCTL_TRY(const Credentials credentials,
             Credentials::load(config_folder(environment) + "/credentials", earlier_path(environment, "credentials")));
  const auto origin = [&](const char* flag, const char* variable, const std::string& of_context) -> std::string {
    if (invocation.has(flag)) return std::string("--") + flag;
    if (environment(variable)) return variable;
    return of_context.empty() ? "default" : "context " + context.name;
  };
  Origins out;
  const std::string file = config_path(environment);
  out.context = origin("context", "MCPCTL_CONTEXT", "");
  if (out.context == "default" && !context.name.empty()) out.context = file;
  out.server = origin("mcpd-url", "MCPCTL_SERVER", context.server);
  if (out.server == "default" && !credentials.server.empty()) out.server = "the last login";
  out.project = origin("project", "MCPCTL_PROJECT", context.project);
  out.output = origin("output", "MCPCTL_OUTPUT", context.output);
  out.token = environment("MCPCTL_TOKEN") ? "MCPCTL_TOKEN" : "the login at this server";
  return out;
}

std::string cache_folder(const Environment& environment) {
  if (!environment("HOME") && !environment("XDG_CACHE_HOME")) return {};
  return folder_of(environment, "XDG_CACHE_HOME", "/.cache") + "/mcpctl";
}

std::string default_code_file(const Environment& environment) {
  return folder_of(environment, "XDG_STATE_HOME", "/.local/state") + "/mcpd/bootstrap-code";
}

}  // namespace mcpctl
