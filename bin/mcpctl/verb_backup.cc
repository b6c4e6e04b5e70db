// backup, restore.
#include <sys/stat.h>

#include <optional>

#include "api.h"
#include "files.h"
#include "sanitize.h"
#include "terminal.h"
#include "verbs.h"

namespace mcpctl {
namespace {

constexpr size_t kMaxBackupBytes = 32 << 20;  // as the server's limit
constexpr int64_t kBackupTimeoutMs = 600'000;
constexpr size_t kShown = 20;

// "" when none was asked for.
Result<std::string> password_given(const Invocation& invocation) {
  const std::string path = invocation.text("password-file");
  const bool from_stdin = invocation.is_set("password-stdin") || path == "-";
  if (invocation.is_set("password-stdin") && !path.empty()) {
    return usage_failure("--password-stdin cannot be combined with --password-file");
  }
  if (!from_stdin && path.empty()) return std::string();
  std::string text;
  if (from_stdin) {
    MCPCTL_TRY(text, read_standard_input());
  } else {
    MCPCTL_TRY(const std::optional<std::string> content, read_file(path, true));
    if (!content) return Failure{kExitFailed, "cannot read the password", "there is no file " + path, {}, {}};
    text = *content;
  }
  text = without_line_break(std::move(text));
  if (text.empty()) return usage_failure("the password is empty");
  return text;
}

Result<std::optional<PendingFile>> output_of(const Invocation& invocation) {
  const std::string path = invocation.text("output-file");
  if (path.empty()) return std::optional<PendingFile>();
  struct stat info {};
  if (!invocation.is_set("force") && ::lstat(path.c_str(), &info) == 0) {
    return Failure{kExitFailed, "cannot write " + path, "it exists", "--force replaces it", {}};
  }
  MCPCTL_TRY(PendingFile opened, PendingFile::open(path));
  return std::optional<PendingFile>(std::move(opened));
}

void say_omitted(JsonValue omitted) {
  for (size_t i = 0; i < omitted.size() && i < kShown; ++i) {
    const JsonValue one = omitted.at(i);
    const std::string name = one.text("name");
    const std::string subject = one.text("kind") + (name.empty() ? "" : "/" + name) + ": " + one.text("what");
    write_err("Not in the backup: " + sanitize_line(subject + " (" + one.text("why") + ")") + "\n");
  }
  if (omitted.size() > kShown) {
    write_err("Not in the backup: " + std::to_string(omitted.size() - kShown) +
              " more, listed in its member omitted\n");
  }
}

Result<std::string> backup_text(const std::string& path) {
  if (path == "-") return read_standard_input(kMaxBackupBytes);
  MCPCTL_TRY(const std::optional<std::string> content, read_file(path, false, kMaxBackupBytes));
  if (!content) return Failure{kExitFailed, "cannot read the backup", "there is no file " + path, {}, {}};
  return *content;
}

// A sealed backup without a password is asked for one.
Result<std::string> password_for(const Invocation& invocation, JsonValue backup) {
  MCPCTL_TRY(std::string password, password_given(invocation));
  if (!password.empty() || !backup.get("sealed").present()) return password;
  return ask_secret("password of the backup", "add --password-file FILE or --password-stdin");
}

Status show_report(JsonValue report, const Settings& settings) {
  if (!is_human(settings.format) && settings.format != Format::kName) {
    MCPCTL_TRY(const std::string text, format_record(report, look_of(settings)));
    return write_out(text);
  }
  std::string out;
  const JsonValue items = report.get("items");
  for (size_t i = 0; i < items.size(); ++i) {
    const JsonValue item = items.at(i);
    const std::string reason = item.text("reason");
    out += sanitize_line(item.text("kind") + "/" + item.text("name") + " " + item.text("effect") +
                         (reason.empty() ? "" : " (" + reason + ")")) +
           "\n";
  }
  return write_out(out);
}

}  // namespace

Result<int> run_backup(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  MCPCTL_TRY(const std::string password, password_given(invocation));
  MCPCTL_TRY(std::optional<PendingFile> file, output_of(invocation));
  JsonWriter writer;
  writer.begin_object();
  if (!password.empty()) writer.member("password", password);
  writer.end_object();
  MCPCTL_TRY(const Bytes body, writer.finish());
  MCPCTL_TRY(Api api, Api::open(settings, true, kBackupTimeoutMs));
  MCPCTL_TRY(const JsonDocument answer, api.call("POST", "/backup", view_of(body), "cannot make a backup"));
  MCPCTL_TRY(std::string text, answer.root().print(0));
  text += '\n';
  if (file) {
    MCPCTL_CHECK(file->commit(text));
  } else {
    MCPCTL_CHECK(write_out(text));
  }
  say_omitted(answer.root().get("omitted"));
  return kExitOk;
}

Result<int> run_restore(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  const std::string path = invocation.arguments.front();
  if (path == "-" && (invocation.is_set("password-stdin") || invocation.text("password-file") == "-")) {
    return usage_failure("standard input cannot be the backup and its password");
  }
  MCPCTL_TRY(const std::string text, backup_text(path));
  MCPCTL_TRY(const JsonDocument backup, JsonDocument::parse(text, path == "-" ? "standard input" : path));
  MCPCTL_TRY(const std::string password, password_for(invocation, backup.root()));
  JsonWriter writer;
  writer.begin_object().key("backup").value(backup.root());
  if (!password.empty()) writer.member("password", password);
  if (invocation.has("conflict")) writer.member("conflict", invocation.text("conflict"));
  writer.key("dryRun").boolean(invocation.is_set("dry-run")).end_object();
  MCPCTL_TRY(const Bytes body, writer.finish());
  MCPCTL_TRY(Api api, Api::open(settings, true, kBackupTimeoutMs));
  MCPCTL_TRY(const JsonDocument answer, api.call("POST", "/restore", view_of(body), "cannot restore " + path));
  MCPCTL_CHECK(show_report(answer.root(), settings));
  const int64_t conflicts = answer.root().get("counts").get("conflict").integer();
  if (!invocation.is_set("dry-run")) return kExitOk;
  write_err("Nothing was written: this was a dry run.\n");
  return conflicts > 0 ? kExitFailed : kExitOk;
}

}  // namespace mcpctl
