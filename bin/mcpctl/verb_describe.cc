// describe: one object for people, with what the control plane knows around it.
#include <algorithm>

#include "api.h"
#include "sanitize.h"
#include "target.h"
#include "terminal.h"
#include "verbs.h"
#include "yaml_text.h"

namespace mcpctl {
namespace {

// A part of the description: a list of texts (no columns), or a table of objects.
struct Section {
  const char* member;
  const char* title;
  std::vector<Column> columns = {};
  const char* nothing = nullptr;  // said when it is empty; nullptr: it is left out
};

const std::vector<Section>& sections() {
  static const std::vector<Section> rows = {
      {"bindings",
       "Bindings",
       {{"BINDING", "binding", "text"}, {"SOURCE", "source", "text"}, {"EXCEEDS OWNER", "exceedsOwner", "bool"}},
       "none: the token may do nothing but ask about itself"},
      {"effective", "Effective now", {}, "nothing"},
      {"reach",
       "Tools",
       {{"SERVER", "server", "text"},
        {"MAY CALL", "callable", "bool"},
        {"OF", "of", "text"},
        {"TOOLS", "tools", "list"}},
       "its project has no servers"},
      {"denials", "Denied of late", {{"TIME", "time", "time"}, {"WHAT", "what", "text"}, {"WHY", "why", "text"}}},
      {"instances",
       "Instances",
       {{"NAME", "name", "text"},
        {"STATUS", "status", "text"},
        {"HEALTH", "health", "text"},
        {"PID", "pid", "text"},
        {"RESTARTS", "restarts", "text"},
        {"TOOLS", "tools", "text"},
        {"STARTED", "startedAt", "age"}},
       "none: it is started by the first call"},
      {"tools", "Tools", {}, nullptr},
      {"servers",
       "Servers",
       {{"SERVER", "server", "text"},
        {"PREFIX", "prefix", "text"},
        {"STATUS", "status", "text"},
        {"TOOLS", "tools", "text"}},
       "none"},
      {"tokens",
       "Tokens",
       {{"NAME", "name", "text"},
        {"PROJECT", "project", "text"},
        {"PREFIX", "prefix", "text"},
        {"OWNER", "owner", "text"},
        {"LAST USED", "lastUsedAt", "time"},
        {"EXPIRES", "expiresAt", "time"},
        {"STATUS", "status", "text"}},
       "none"},
      {"prompts", "Prompts", {}, nullptr},
      {"promptrequests", "Waiting for approval", {}, nullptr},
      {"groups", "Groups", {}, nullptr},
      {"access",
       "Access",
       {{"BINDING", "binding", "text"}, {"SOURCE", "source", "text"}, {"THROUGH", "through", "text"}},
       "none"},
      {"holders", "Who holds it", {{"WHO", "who", "text"}, {"THROUGH", "through", "text"}}, "nobody"},
      {"link", "Link", {{"TARGET", "target", "text"}, {"HEALTH", "health", "text"}, {"WHY", "failure", "text"}}},
      {"unapprovedTools", "Changed tools that wait for approval", {}, nullptr},
      {"usedBy", "Used by", {}, "nothing"},
  };
  return rows;
}

std::string indented(const std::string& text) {
  std::string out;
  for (const std::string& line : split(text, '\n'))
    out += "  " + line + "\n";
  return out;
}

std::string section_text(const Section& section, JsonValue rows, const Look& look) {
  if (rows.size() == 0)
    return section.nothing == nullptr ? "" : std::string(section.title) + ": " + section.nothing + "\n";
  std::string out = std::string(section.title) + ":\n";
  if (section.columns.empty()) {
    for (size_t i = 0; i < rows.size(); ++i)
      out += "  " + sanitize_line(rows.at(i).text()) + "\n";
    return out;
  }
  return out + indented(format_rows(section.columns, rows, look));
}

// "in 29d", "3h ago"
std::string with_distance(const std::string& key, JsonValue value, const Look& look) {
  int64_t ms = 0;
  if (key.size() < 2 || key.substr(key.size() - 2) != "At" || !parse_time(value, ms)) return {};
  const std::string age = format_age(ms, look.now_ms);
  return ms > look.now_ms ? " (in " + age + ")" : " (" + age + " ago)";
}

using Rows = std::vector<std::vector<std::string>>;

// Scalars of the object become rows; what is in it, YAML.
std::string object_text(JsonValue object, JsonValue about, const Look& look, Rows& rows) {
  std::string nested;
  const auto told = [&](const std::string& key) { return about.get(key).present(); };
  for (size_t i = 0; i < object.size(); ++i) {
    const std::string key(object.key(i));
    const JsonValue value = object.at(i);
    if (value.is_scalar()) {
      rows.push_back({key + ":", plain(value) + with_distance(key, value, look)});
    } else if (value.size() != 0 && !told(key)) {
      const std::string text = write_yaml(value);
      nested += key + ":\n" + indented(text);
    }
  }
  if (object.text("kind") == "mcptoken" && !object.get("expiresAt").present()) rows.push_back({"expiresAt:", "never"});
  return nested;
}

// Scalars that stand beside the object.
void add_facts(JsonValue about, const Settings& settings, Rows& rows) {
  for (size_t i = 0; i < about.size(); ++i) {
    const std::string key(about.key(i));
    const JsonValue value = about.at(i);
    if (key == "endpoint") {
      rows.push_back({"endpoint:", settings.server + value.text()});
    } else if (value.is_scalar()) {
      rows.push_back({key + ":", plain(value)});
    }
  }
  const JsonValue use = about.get("last24h");
  if (use.present()) {
    const std::string calls = use.text("calls") + (use.get("complete").boolean(true) ? "" : " or more");
    rows.push_back({"last 24 h:", calls + " calls, " + use.text("denied") + " denied"});
  }
}

// What to run next.
std::string next_steps(const Kind& kind, JsonValue object, const Settings& settings) {
  const std::string name = sanitize_line(object.text(kind.name_field.c_str()));
  const std::string project = sanitize_line(object.text("project"));
  if (kind.name == "project")
    return "Connect a client: mcpctl create mcptoken NAME -p " + name + " --rbac clone, then mcpctl test mcp " +
           settings.server + "/projects/" + name + "/mcp\n";
  if (kind.name == "mcptoken") return "Its record: mcpctl audit --token " + name + " -p " + project + "\n";
  if (kind.name == "server") return "What it says: mcpctl logs " + name + "\n";
  return {};
}

Result<std::string> description(const Kind& kind, JsonValue answer, const Settings& settings) {
  const Look look = look_of(settings);
  if (!is_human(settings.format)) return format_record(answer, look);
  Rows rows;
  const std::string nested = object_text(answer.get("object"), answer, look, rows);
  add_facts(answer, settings, rows);
  std::string out = format_table(rows) + nested;
  for (const Section& section : sections()) {
    const JsonValue items = answer.get(section.member);
    if (!items.present()) continue;
    const std::string text = section_text(section, items, look);
    if (!text.empty()) out += "\n" + text;
  }
  const std::string next = next_steps(kind, answer.get("object"), settings);
  return next.empty() ? out : out + "\n" + next;
}

// An instance has no description of its own: it is one already.
Result<JsonDocument> ask(Api& api, const Kind& kind, const std::string& name) {
  const std::string what = "cannot describe " + kind.name + "/" + name;
  std::string path = api.path_of(kind, name);
  if (kind.name != "instance") {
    path.insert(std::min(path.find('?'), path.size()), "/describe");
    return api.call("GET", path, {}, what);
  }
  MCPCTL_TRY(const JsonDocument object, api.call("GET", path, {}, what));
  JsonWriter writer;
  writer.begin_object().key("object").value(object.root()).end_object();
  MCPCTL_TRY(const Bytes json, writer.finish());
  return JsonDocument::parse(view_of(json), what);
}

}  // namespace

Result<int> run_describe(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(const Target target, target_of(app.kinds(), invocation, "get"));
  if (target.names.empty()) return usage_failure("NAME is missing", "see: mcpctl describe --help");
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  MCPCTL_TRY(Api api, Api::open(settings, true));
  int code = kExitOk;
  bool first = true;
  for (const std::string& name : target.names) {
    const auto answer = ask(api, *target.kind, name);
    if (!answer.ok()) {
      report(answer.failure());
      code = answer.failure().exit_code;
      continue;
    }
    MCPCTL_TRY(const std::string text, description(*target.kind, answer->root(), settings));
    MCPCTL_CHECK(write_out((first || !is_human(settings.format) ? "" : "\n") + text));
    first = false;
  }
  return code;
}

}  // namespace mcpctl
