// What servers said on stderr.
#include "api.h"
#include "output.h"
#include "sanitize.h"
#include "terminal.h"
#include "verbs.h"

namespace mcpctl {
namespace {

bool is_number(const std::string& text) {
  return !text.empty() && text.size() < 8 && text.find_first_not_of("0123456789") == std::string::npos && text != "0";
}

Status print_log(Api& api, JsonValue instance, const Invocation& invocation, bool with_name) {
  const std::string name = instance.text("name");
  std::string path = "/instances/" + url_encode(instance.text("id")) + "/logs";
  if (invocation.has("tail")) path += "?tail=" + invocation.text("tail");
  MCPCTL_TRY(const JsonDocument answer, api.call("GET", path, {}, "cannot read the log of instance/" + name));
  std::string out = with_name ? "==> " + sanitize_line(name) + " <==\n" : "";
  const JsonValue lines = answer.root().get("lines");
  for (size_t i = 0; i < lines.size(); ++i) {
    if (invocation.is_set("timestamps")) out += sanitize_line(lines.at(i).text("time")) + " ";
    out += sanitize_line(lines.at(i).text("text")) + "\n";
  }
  return write_out(out);
}

}  // namespace

Result<int> run_logs(Application& app, const Invocation& invocation) {
  std::string word = invocation.arguments.front();
  for (const char* noun : {"instance/", "server/"}) {
    if (word.starts_with(noun)) word = word.substr(std::string_view(noun).size());
  }
  if (invocation.has("tail") && !is_number(invocation.text("tail")))
    return usage_failure("--tail is not a number of lines", "mcpctl logs --help");
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  MCPCTL_TRY(Api api, Api::open(settings, true));
  MCPCTL_TRY(const JsonDocument answer, api.call("GET", "/instances", {}, "cannot list instances"));
  const JsonValue items = answer.root().get("items");
  std::vector<JsonValue> chosen;
  for (size_t i = 0; i < items.size(); ++i) {
    const JsonValue one = items.at(i);
    if (one.text("name") == word || one.text("id") == word || one.text("server") == word) chosen.push_back(one);
  }
  if (chosen.empty()) {
    return Failure{kExitFailed,
                   "there is no log of " + word,
                   "no instance of that name or server is there",
                   "a server is started by the first call that needs it; see: mcpctl get instances",
                   {}};
  }
  for (const JsonValue one : chosen)
    MCPCTL_CHECK(print_log(api, one, invocation, chosen.size() > 1));
  return kExitOk;
}

}  // namespace mcpctl
