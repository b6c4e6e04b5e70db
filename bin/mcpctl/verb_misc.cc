// status, version, and the page for docs/.
#include <mcptoken/session.h>
#include <mcptoken/version.h>

#include "api.h"
#include "terminal.h"
#include "verbs.h"

namespace mcpctl {
namespace {

constexpr int64_t kStatusTimeoutMs = 5000;

Status show(JsonWriter& writer, const Settings& settings) {
  MCPCTL_TRY(const Bytes json, writer.finish());
  MCPCTL_TRY(const JsonDocument document, JsonDocument::parse(view_of(json), "the output"));
  MCPCTL_TRY(const std::string text, format_record(document.root(), look_of(settings)));
  return write_out(text);
}

Status check_health(const Settings& settings) {
  mcptoken_error* error = nullptr;
  const mcptoken_status status = mcptoken_session_health(settings.server.c_str(), kStatusTimeoutMs, &error);
  const Error detail(error);
  if (status == MCPTOKEN_OK) return Done{};
  Failure failure = failure_of(error, settings.server + " is not healthy");
  const std::string no_answer = no_answer_hint(failure, settings.server);
  if (!no_answer.empty()) failure.hint = no_answer;
  return failure;
}

Status show_verification(JsonValue found, const Settings& settings) {
  if (!is_human(settings.format)) {
    MCPCTL_TRY(const std::string text, format_record(found, look_of(settings)));
    return write_out(text);
  }
  if (!found.get("intact").boolean()) return Done{};
  return write_out("The audit record is intact: " + found.text("checked") +
                   " events.\nhead: " + found.get("head").text("seq") + ":" + found.get("head").text("hash") + "\n");
}

}  // namespace

Result<int> run_audit_verify(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(const Settings given, app.settings(invocation));
  const Settings settings = with_login(given);
  MCPCTL_TRY(Api api, Api::open(settings, true));
  const std::string head = invocation.text("expect-head");
  const std::string query = head.empty() ? "" : "?expectHead=" + url_encode(head);
  MCPCTL_TRY(const JsonDocument found, api.call("GET", "/audit/verify" + query, {}, "cannot verify the audit record"));
  MCPCTL_CHECK(show_verification(found.root(), settings));
  if (found.root().get("intact").boolean()) return kExitOk;
  return Failure{kExitFailed, "the audit record is not intact at event " + found.root().text("problemSeq"),
                 found.root().text("problem")};
}

Result<int> run_status(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  const Status health = check_health(settings);
  JsonWriter writer;
  writer.begin_object().member("server", settings.server).member("health", health.ok() ? "ok" : "unreachable");
  int code = health.ok() ? kExitOk : kExitFailed;
  bool is_gateway = false;
  if (!health.ok()) report(health.failure());
  if (health.ok()) {
    MCPCTL_TRY(Api api, Api::open(settings, false));
    const auto status = api.call("GET", "/status", {}, "cannot ask what it has");
    is_gateway = status.ok() && status->root().text("role") == "gateway";
    // Without a login it is a gateway's alone to say; an older server has less to say, or nothing.
    const bool known = settings.token.empty() || status.ok() || status.failure().status == MCPTOKEN_NOT_FOUND;
    if (!known) report(status.failure()), code = status.failure().exit_code;
    if (status.ok()) {
      for (const char* member : {"role", "version", "llm", "execStages", "ownStages"}) {
        const JsonValue value = status->root().get(member);
        if (value.present()) writer.key(member).value(value);
      }
    }
  }
  if (health.ok() && !is_gateway && settings.token.empty()) writer.member("login", "none");
  if (health.ok() && !is_gateway && !settings.token.empty()) {
    MCPCTL_TRY(Api api, Api::open(settings, true));
    const auto answer = api.call("GET", "/auth/whoami", {}, "cannot ask who you are");
    writer.member("login", answer.ok() ? "ok" : "refused");
    if (answer.ok()) writer.key("whoami").value(answer->root());
    if (!answer.ok()) report(answer.failure()), code = answer.failure().exit_code;
  }
  if (!settings.project.empty()) writer.member("project", settings.project);
  writer.end_object();
  MCPCTL_CHECK(show(writer, settings));
  return code;
}

Result<int> run_version(Application&, const Invocation& invocation) {
  const std::string wanted = invocation.text("output");
  MCPCTL_TRY(const Format format, format_of(wanted.empty() ? "table" : wanted, "--output"));
  if (is_human(format) || format == Format::kName) {
    MCPCTL_CHECK(write_out(std::string("mcpctl ") + MCPTOKEN_VERSION + " (library " + mcptoken_version() + ")\n"));
    return kExitOk;
  }
  JsonWriter writer;
  writer.begin_object().member("mcpctl", MCPTOKEN_VERSION).member("library", mcptoken_version());
  writer.key("abi").integer(mcptoken_abi_version()).end_object();
  Settings settings;
  settings.format = format;
  settings.expression = expression_of(wanted);
  MCPCTL_CHECK(show(writer, settings));
  return kExitOk;
}

Result<int> run_docs(Application& app, const Invocation&) {
  MCPCTL_CHECK(write_out(help_markdown(app.table())));
  return kExitOk;
}

}  // namespace mcpctl
