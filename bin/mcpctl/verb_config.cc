// config: contexts, and what this run would use.
#include "api.h"
#include "sanitize.h"
#include "suggest.h"
#include "terminal.h"
#include "verbs.h"

namespace mcpctl {
namespace {

Failure no_context(const Config& config, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& [known, context] : config.contexts)
    names.push_back(known);
  const std::string guess = did_you_mean(name, names);
  return usage_failure(config.path + " has no context \"" + name + "\"",
                       guess.empty() ? "make it: mcpctl config set-context " + name + " --mcpd-url URL" : guess);
}

// The credential without what opens something.
std::string masked(const std::string& token) {
  constexpr size_t kShown = 15;  // mcpctl_ses_ and four characters
  return token.size() <= kShown ? std::string(token.empty() ? "" : "***") : token.substr(0, kShown) + "***";
}

Status show(JsonWriter& writer, const Settings& settings) {
  MCPCTL_TRY(const Bytes json, writer.finish());
  MCPCTL_TRY(const JsonDocument document, JsonDocument::parse(view_of(json), "the output"));
  MCPCTL_TRY(const std::string text, format_record(document.root(), look_of(settings)));
  return write_out(text);
}

Result<int> contexts_as_data(const Config& config, const Settings& settings) {
  if (settings.format == Format::kName) {
    for (const auto& [name, context] : config.contexts)
      MCPCTL_CHECK(write_out(sanitize_line(name) + "\n"));
    return kExitOk;
  }
  JsonWriter writer;
  writer.begin_object().key("items").begin_array();
  for (const auto& [name, context] : config.contexts) {
    writer.begin_object().member("name", name).key("current").boolean(name == config.current);
    writer.member("server", context.server).member("project", context.project).member("output", context.output);
    writer.end_object();
  }
  writer.end_array().end_object();
  MCPCTL_CHECK(show(writer, settings));
  return kExitOk;
}

}  // namespace

Result<int> run_get_contexts(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(const Config config, Config::load(app.environment()));
  // The format is a flag or the environment's: a context that does not exist must not stand in the way of the list.
  const std::string format = invocation.has("output") ? invocation.text("output") : "table";
  MCPCTL_TRY(const Format wanted, format_of(format, "--output"));
  if (!is_human(wanted)) {
    Settings settings;
    settings.format = wanted;
    settings.expression = expression_of(format);
    return contexts_as_data(config, settings);
  }
  const bool headers = !invocation.is_set("no-headers");
  std::vector<std::vector<std::string>> rows;
  if (headers) rows.push_back({"CURRENT", "NAME", "SERVER", "PROJECT", "OUTPUT"});
  const auto cell = [](const std::string& text) { return text.empty() ? std::string("<none>") : text; };
  for (const auto& [name, context] : config.contexts) {
    rows.push_back(
        {name == config.current ? "*" : "", name, cell(context.server), cell(context.project), cell(context.output)});
  }
  if (config.contexts.empty()) {
    write_err("No contexts in " + config.path + ".\n");
    return kExitOk;
  }
  MCPCTL_CHECK(write_out(format_table(rows)));
  return kExitOk;
}

Result<int> run_use_context(Application& app, const Invocation& invocation) {
  const std::string& name = invocation.arguments.front();
  MCPCTL_TRY(Config config, Config::load(app.environment()));
  if (config.contexts.count(name) == 0) return no_context(config, name);
  config.current = name;
  MCPCTL_CHECK(config.save());
  MCPCTL_CHECK(write_out("The current context is " + name + ".\n"));
  return kExitOk;
}

Result<int> run_set_context(Application& app, const Invocation& invocation) {
  const std::string& name = invocation.arguments.front();
  MCPCTL_TRY(Config config, Config::load(app.environment()));
  const bool fresh = config.contexts.count(name) == 0;
  Context& context = config.contexts[name];
  context.name = name;
  if (invocation.has("mcpd-url")) {
    Settings settings;
    settings.server = context.server = invocation.text("mcpd-url");
    MCPCTL_CHECK(Api::open(settings, false));  // nothing is asked, but what is no URL is refused
  }
  if (invocation.has("project")) context.project = invocation.text("project");
  if (invocation.has("output")) {
    MCPCTL_CHECK(format_of(invocation.text("output"), "--output"));
    context.output = invocation.text("output");
  }
  if (config.current.empty()) config.current = name;
  MCPCTL_CHECK(config.save());
  MCPCTL_CHECK(write_out("Context " + name + (fresh ? " created" : " changed") + ".\n"));
  return kExitOk;
}

Result<int> run_config_view(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  const bool raw = invocation.is_set("raw");
  JsonWriter writer;
  writer.begin_object();
  if (!settings.context.empty()) writer.member("context", settings.context);
  writer.member("server", settings.server);
  if (!settings.project.empty()) writer.member("project", settings.project);
  if (!settings.user.empty()) writer.member("user", settings.user);
  if (!settings.token.empty()) writer.member("token", raw ? settings.token : masked(settings.token));
  writer.member("output", settings.output).member("credentials", settings.credentials_path);
  if (invocation.is_set("origin")) {
    MCPCTL_TRY(const Origins origins, origins_of(invocation, app.environment()));
    writer.key("origin").begin_object().member("context", origins.context).member("server", origins.server);
    writer.member("project", origins.project).member("output", origins.output).member("token", origins.token);
    writer.end_object();
  }
  writer.end_object();
  MCPCTL_CHECK(show(writer, settings));
  return kExitOk;
}

}  // namespace mcpctl
