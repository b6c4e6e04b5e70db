// api: any request to the control plane, for what has no verb.
#include <algorithm>
#include <cctype>

#include "api.h"
#include "files.h"
#include "sanitize.h"
#include "suggest.h"
#include "terminal.h"
#include "verbs.h"

namespace mcpctl {
namespace {

constexpr const char* kMethods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
constexpr std::string_view kPrefix = "/api/v1";

std::string method_hint(const std::string& method) {
  const std::string guess = did_you_mean(method, {std::begin(kMethods), std::end(kMethods)});
  return (guess.empty() ? "" : guess + " ") + "methods: GET, POST, PUT, PATCH, DELETE";
}

Result<std::string> body_of(const Invocation& invocation) {
  const std::string input = invocation.text("input");
  const std::vector<std::string> members = invocation.all("field");
  if (!input.empty() && !members.empty()) return usage_failure("--input and --field exclude each other");
  if (input == "-") return read_standard_input(16 << 20);
  if (!input.empty()) {
    MCPCTL_TRY(const std::optional<std::string> text, read_file(input, false, 16 << 20));
    return text ? Result<std::string>(*text) : usage_failure("there is no file " + input);
  }
  if (members.empty()) return std::string();
  JsonWriter writer;
  writer.begin_object();
  for (const std::string& member : members) {
    const size_t equals = member.find('=');
    if (equals == std::string::npos || equals == 0)
      return usage_failure("bad value for --field: \"" + member + "\"",
                           "write --field name=grafana, JSON where it is not text");
    const std::string value = member.substr(equals + 1);
    const auto json = JsonDocument::parse(value, "the value");
    writer.key(member.substr(0, equals));
    if (json.ok()) {
      writer.value(json->root());
    } else {
      writer.string(value);
    }
  }
  writer.end_object();
  MCPCTL_TRY(const Bytes json, writer.finish());
  return std::string(view_of(json));
}

}  // namespace

Result<int> run_api(Application& app, const Invocation& invocation) {
  std::string method = invocation.arguments[0], path = invocation.arguments[1];
  std::transform(method.begin(), method.end(), method.begin(), [](unsigned char c) { return std::toupper(c); });
  const auto known = std::find(std::begin(kMethods), std::end(kMethods), method);
  if (known == std::end(kMethods)) return usage_failure("unknown method \"" + method + "\"", method_hint(method));
  if (path.compare(0, kPrefix.size(), kPrefix) == 0) path.erase(0, kPrefix.size());
  if (path.empty() || path.front() != '/') path.insert(path.begin(), '/');
  MCPCTL_TRY(const std::string body, body_of(invocation));
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  MCPCTL_TRY(Api api, Api::open(settings, false));
  MCPCTL_TRY(const JsonDocument answer, api.call(*known, path, body, method + " " + path + " failed"));
  if (!answer.root().present()) return kExitOk;
  if (settings.format == Format::kYaml || settings.format == Format::kPath) {
    MCPCTL_TRY(const std::string text, format_record(answer.root(), look_of(settings)));
    MCPCTL_CHECK(write_out(text));
    return kExitOk;
  }
  MCPCTL_TRY(const std::string text, answer.root().print(2));
  MCPCTL_CHECK(write_out(sanitize_json(text) + "\n"));
  return kExitOk;
}

}  // namespace mcpctl
