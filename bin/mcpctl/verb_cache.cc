// The pipeline cache: what proxy models have made of content, and results that clients look into.
#include "api.h"
#include "output.h"
#include "terminal.h"
#include "verbs.h"

namespace mcpctl {
namespace {

std::string with_project(const std::string& path, const Settings& settings) {
  return settings.project.empty() ? path : path + "?project=" + url_encode(settings.project);
}

Status print(const Settings& settings, JsonValue record) {
  MCPCTL_TRY(const std::string text, format_record(record, look_of(settings)));
  return write_out(text);
}

}  // namespace

Result<int> run_cache_stats(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  MCPCTL_TRY(Api api, Api::open(settings, true));
  MCPCTL_TRY(const JsonDocument answer, api.call("GET", "/cache", {}, "cannot read the state of the cache"));
  MCPCTL_CHECK(print(settings, answer.root()));
  return kExitOk;
}

Result<int> run_cache_list(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  MCPCTL_TRY(Api api, Api::open(settings, true));
  MCPCTL_TRY(const JsonDocument answer,
             api.call("GET", with_project("/cache/entries", settings), {}, "cannot list the cache"));
  const Look look = look_of(settings);
  if (!is_human(look.format)) {
    MCPCTL_CHECK(print(settings, answer.root()));
    return kExitOk;
  }
  std::vector<std::vector<std::string>> rows;
  if (look.headers) rows.push_back({"KEY", "PROJECT", "WHAT", "BYTES", "CREATED", "EXPIRES"});
  const JsonValue items = answer.root().get("items");
  for (size_t i = 0; i < items.size(); ++i) {
    const JsonValue one = items.at(i);
    rows.push_back({one.text("key").substr(0, 12), one.text("project"), one.text("what"),
                    std::to_string(one.get("bytes").integer()), one.text("createdAt"), one.text("expiresAt")});
  }
  MCPCTL_CHECK(write_out(format_table(rows)));
  return kExitOk;
}

Result<int> run_cache_clear(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  MCPCTL_TRY(Api api, Api::open(settings, true));
  MCPCTL_TRY(const JsonDocument answer,
             api.call("DELETE", with_project("/cache", settings), {}, "cannot clear the cache"));
  const int64_t cleared = answer.root().get("cleared").integer();
  const std::string of = settings.project.empty() ? "" : " of project " + settings.project;
  MCPCTL_CHECK(write_out("cleared " + std::to_string(cleared) + (cleared == 1 ? " entry" : " entries") + of + "\n"));
  return kExitOk;
}

}  // namespace mcpctl
