// create and rotate mcptoken: the answers that hold a secret, so the order of steps matters. Whatever may fail without
// the token (flags, the output file) is settled before it is minted; once it exists it is never lost.
#include <mcptoken/token.h>

#include <optional>

#include "api.h"
#include "create_body.h"
#include "files.h"
#include "sanitize.h"
#include "terminal.h"
#include "token_banner.h"
#include "verbs.h"

namespace mcpctl {
namespace {

Status check_ttl(const std::string& ttl) {
  int64_t expires_ms = 0;
  mcptoken_error* error = nullptr;
  const mcptoken_status status = mcptoken_token_parse_ttl(ttl.c_str(), wall_clock_ms(), &expires_ms, &error);
  const Error detail(error);
  if (status == MCPTOKEN_OK) return Done{};
  return Failure{kExitUsage,
                 "bad value for --ttl: \"" + ttl + "\"",
                 mcptoken_error_message(error),
                 "write 30d, 12h, 45m, 2w, never, or an instant like 2030-01-31T12:00:00Z",
                 {}};
}

// The answer as asked for. With --output-file the token is in the file and nowhere else; otherwise every format carries
// it, for a token that is not shown now is lost.
Result<std::string> stdout_text(const Kind& kind, JsonValue answer, const Settings& settings, bool in_file) {
  if (settings.format == Format::kName && in_file) return kind.name + "/" + sanitize_line(answer.text("name")) + "\n";
  if (is_human(settings.format) || settings.format == Format::kName || settings.format == Format::kColumns) {
    return in_file ? std::string() : answer.text("token") + "\n";
  }
  JsonWriter writer;
  writer.begin_object().member("kind", kind.name);
  for (size_t i = 0; i < answer.size(); ++i) {
    const std::string key(answer.key(i));
    if (key != "kind" && (key != "token" || !in_file)) writer.key(key).value(answer.at(i));
  }
  writer.end_object();
  MCPCTL_TRY(const Bytes json, writer.finish());
  MCPCTL_TRY(const JsonDocument document, JsonDocument::parse(view_of(json), "the output"));
  return format_record(document.root(), look_of(settings));
}

// How a token comes to be.
struct Making {
  std::string path;
  std::string what;  // the attempt as people read it
  const char* done;
};

Result<int> make_token(const Invocation& invocation, const Settings& settings, const Making& making,
                       std::string_view body) {
  const Kind& kind = *invocation.command->kind;
  MCPCTL_TRY(Api api, Api::open(settings, true));
  const std::string output_file = invocation.text("output-file");
  std::optional<PendingFile> file;
  if (!output_file.empty()) {
    MCPCTL_TRY(PendingFile opened, PendingFile::open(output_file));
    file.emplace(std::move(opened));
  }
  MCPCTL_TRY(const JsonDocument answer, api.call("POST", making.path, body, making.what));
  const std::string token = answer.root().text("token");
  if (token.empty()) return Failure{kExitFailed, making.what, "the answer holds no token", {}, {}};

  int code = kExitOk;
  bool in_file = false;
  if (file) {
    Status written = file->commit(token + "\n");
    in_file = written.ok();
    if (!in_file) report(written.failure()), code = kExitFailed;
  }
  write_err(token_banner(answer.root(), making.done, settings.server, in_file ? output_file : ""));
  MCPCTL_TRY(const std::string text, stdout_text(kind, answer.root(), settings, in_file));
  MCPCTL_CHECK(write_out(text));
  if (invocation.is_set("save")) {
    MCPCTL_CHECK(Credentials::change(
        settings.credentials_path, settings.earlier_credentials_path,
        [&](Credentials& credentials) { credentials.tokens[settings.server][settings.project] = token; }));
  }
  return code;
}

}  // namespace

Result<int> run_create_mcptoken(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  if (settings.project.empty()) return usage_failure("a token belongs to one project", "add -p PROJECT");
  if (invocation.has("ttl")) MCPCTL_CHECK(check_ttl(invocation.text("ttl")));
  const std::string name = invocation.arguments.front();
  MCPCTL_TRY(const Bytes body, create_body(*invocation.command->kind, name, settings.project, invocation, {}));
  return make_token(invocation, settings, {"/mcptokens", "cannot create mcptoken/" + name, "created"}, view_of(body));
}

Result<int> run_rotate_mcptoken(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  if (settings.project.empty()) return usage_failure("a token belongs to one project", "add -p PROJECT");
  if (invocation.has("ttl")) MCPCTL_CHECK(check_ttl(invocation.text("ttl")));
  const std::string name = invocation.arguments.front();
  JsonWriter body;
  body.begin_object();
  for (const char* field : {"grace", "ttl"}) {
    if (invocation.has(field)) body.member(field, invocation.text(field));
  }
  body.end_object();
  MCPCTL_TRY(const Bytes text, body.finish());
  const std::string path = "/mcptokens/" + url_encode(name) + "/rotate?project=" + url_encode(settings.project);
  return make_token(invocation, settings, {path, "cannot rotate mcptoken/" + name, "rotated"}, view_of(text));
}

}  // namespace mcpctl
