// auth can-i: whether somebody may do something, and by which binding.
#include <algorithm>

#include "api.h"
#include "rights_words.h"
#include "sanitize.h"
#include "suggest.h"
#include "terminal.h"
#include "token_banner.h"
#include "verbs.h"

namespace mcpctl {
namespace {

constexpr int kExitNo = 1;

// "User:ada@example.com", "mcptoken:agent" with -p, "mcptoken:demo/agent".
Status write_as(JsonWriter& writer, const std::string& text, const std::string& project) {
  const size_t colon = text.find(':');
  const std::string kind = text.substr(0, colon);
  std::string name = colon == std::string::npos ? "" : text.substr(colon + 1);
  const bool token = kind == "mcptoken" || kind == "McpToken" || kind == "token";
  if (name.empty() || (!token && kind != "User" && kind != "user"))
    return usage_failure("bad value for --as: \"" + text + "\"",
                         "write --as User:ada@example.com, or --as mcptoken:agent -p demo");
  std::string of = project;
  if (const size_t slash = name.find('/'); token && slash != std::string::npos) {
    of = name.substr(0, slash);
    name.erase(0, slash + 1);
  }
  if (token && of.empty()) return usage_failure("the project of the token is missing", "add -p PROJECT");
  writer.key("as").begin_object().member("kind", token ? "McpToken" : "User").member("name", name);
  if (token) writer.member("project", of);
  writer.end_object();
  return Done{};
}

Status check_word(const std::string& what, const std::string& word, const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), word) != known.end()) return Done{};
  std::string all;
  for (const std::string& one : known)
    all += (all.empty() ? what + "s: " : ", ") + one;
  const std::string guess = did_you_mean(word, known);
  return usage_failure("\"" + word + "\" is no " + what, guess.empty() ? all : guess);
}

Status write_question(JsonWriter& writer, const Invocation& invocation) {
  const auto& words = invocation.arguments;
  if (invocation.is_set("list")) {
    if (!words.empty()) return usage_failure("--list asks for everything, without ACTION");
    writer.key("list").boolean(true);
    return Done{};
  }
  if (words.empty()) return usage_failure("ACTION is missing", "see: mcpctl auth can-i --help");
  // One word is an operation: logs, backup …
  if (words.size() == 1) {
    MCPCTL_CHECK(check_word("operation", words[0], operation_words()));
    writer.member("operation", words[0]);
    return Done{};
  }
  MCPCTL_CHECK(check_word("action", words[0], role_words()));
  writer.member("action", words[0]).member("resource", words[1]);
  if (words.size() > 2) writer.member("name", words[2]);
  return Done{};
}

std::string near_resource(const Kinds& kinds, const std::string& word) {
  std::vector<std::string> names = {"tools", "audit"};
  for (const Kind& kind : kinds.all())
    names.push_back(kind.plural);
  if (std::find(names.begin(), names.end(), word) != names.end()) return {};
  const std::string guess = did_you_mean(word, names);
  if (!guess.empty()) return guess;
  std::string all;
  for (const std::string& name : names)
    all += (all.empty() ? "resources: " : ", ") + name;
  return all;
}

Result<int> show_list(JsonValue answer, const Settings& settings) {
  if (!is_human(settings.format)) {
    MCPCTL_TRY(const std::string text, format_record(answer, look_of(settings)));
    MCPCTL_CHECK(write_out(text));
    return kExitOk;
  }
  const JsonValue permissions = answer.get("permissions");
  if (permissions.size() == 0) write_err("nothing\n");
  for (size_t i = 0; i < permissions.size(); ++i)
    MCPCTL_CHECK(write_out(sanitize_line(binding_text(permissions.at(i))) + "\n"));
  return kExitOk;
}

}  // namespace

Result<int> run_can_i(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  JsonWriter writer;
  writer.begin_object();
  MCPCTL_CHECK(write_question(writer, invocation));
  if (invocation.has("as")) MCPCTL_CHECK(write_as(writer, invocation.text("as"), settings.project));
  writer.end_object();
  MCPCTL_TRY(const Bytes body, writer.finish());
  MCPCTL_TRY(Api api, Api::open(settings, true));
  auto answer = api.call("POST", "/authz/check", view_of(body), "cannot ask");
  if (!answer.ok()) {
    if (answer.failure().status == MCPTOKEN_INVALID) answer.failure().exit_code = kExitUsage;
    const std::string guess =
        invocation.arguments.size() > 1 ? near_resource(app.kinds(), invocation.arguments[1]) : "";
    if (answer.failure().status == MCPTOKEN_INVALID && answer.failure().hint.empty()) answer.failure().hint = guess;
    // 1 means no.
    if (answer.failure().exit_code == kExitNo) answer.failure().exit_code = 2;
    return answer.failure();
  }
  if (invocation.is_set("list")) return show_list(answer->root(), settings);
  const bool allowed = answer->root().get("allowed").boolean();
  const int code = allowed ? kExitOk : kExitNo;
  if (invocation.is_set("quiet")) return code;
  if (!is_human(settings.format)) {
    MCPCTL_TRY(const std::string text, format_record(answer->root(), look_of(settings)));
    MCPCTL_CHECK(write_out(text));
    return code;
  }
  const std::string why = invocation.is_set("explain") ? ": " + sanitize_line(answer->root().text("rule")) : "";
  MCPCTL_CHECK(write_out(toned(allowed ? "yes" : "no", allowed ? Tone::kGood : Tone::kBad, use_colour()) + why + "\n"));
  return code;
}

}  // namespace mcpctl
