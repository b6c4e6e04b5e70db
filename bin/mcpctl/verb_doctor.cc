// doctor: what stands between you and a working endpoint, one line a check, worst last in the exit code.
#include <mcptoken/version.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <ctime>

#include "api.h"
#include "files.h"
#include "sanitize.h"
#include "stream.h"
#include "terminal.h"
#include "verbs.h"

namespace mcpctl {
namespace {

constexpr int64_t kTimeoutMs = 5000;
constexpr int64_t kMostSkewMs = 30'000;
constexpr int64_t kSoonMs = 7LL * 24 * 3600'000;

enum class Verdict { kGood, kWarning, kBad };
struct Check {
  std::string name;
  Verdict verdict = Verdict::kGood;
  std::string detail;
  std::string hint;
};

class Doctor {
 public:
  Doctor(Application& app, const Invocation& invocation) : app_(app), invocation_(invocation) {}

  const std::vector<Check>& examine() {
    const auto settings = app_.settings(invocation_);
    if (!settings.ok()) {
      add("configuration", Verdict::kBad, settings.failure().what + said(settings.failure()), settings.failure().hint);
      return checks_;
    }
    settings_ = *settings;
    add("configuration", Verdict::kGood,
        "server " + settings_.server + (settings_.project.empty() ? "" : ", project " + settings_.project));
    credentials();
    if (reachable()) {
      version();
      if (login()) {
        project();
        servers();
      }
      kept_tokens();
    }
    program();
    return checks_;
  }

 private:
  static std::string said(const Failure& failure) { return failure.why.empty() ? "" : ": " + failure.why; }

  void add(const std::string& name, Verdict verdict, const std::string& detail, const std::string& hint = {}) {
    checks_.push_back({name, verdict, sanitize_line(detail), sanitize_line(hint)});
  }
  void add(const std::string& name, const Failure& failure) {
    add(name, Verdict::kBad, failure.what + said(failure), failure.hint);
  }

  void credentials() {
    struct stat info {};
    const auto is_there = [&info](const std::string& path) { return ::stat(path.c_str(), &info) == 0; };
    const bool earlier = !is_there(settings_.credentials_path) && is_there(settings_.earlier_credentials_path);
    const std::string& file = earlier ? settings_.earlier_credentials_path : settings_.credentials_path;
    if (!is_there(file))
      return add("credentials", settings_.token.empty() ? Verdict::kWarning : Verdict::kGood, "no file " + file,
                 settings_.token.empty() ? "mcpctl login --email EMAIL" : "");
    const std::string folder = file.substr(0, file.rfind('/'));
    struct stat around {};
    const bool open = ::stat(folder.c_str(), &around) == 0 && (around.st_mode & 022) != 0;
    // That the file is for its owner alone was checked when it was read.
    add("credentials", open ? Verdict::kBad : Verdict::kGood,
        open ? "others may write to " + folder : file + " is yours alone", open ? "chmod 700 " + folder : "");
  }

  // Health, and with the same answer the clock: tokens and sessions end by the server's.
  bool reachable() {
    auto stream = Stream::open(settings_.server + "/healthz", "");
    const int64_t start = wall_clock_ms();
    if (!stream.ok()) return add("server", stream.failure()), false;
    const Status sent = stream->send("GET", {}, {});
    if (!sent.ok()) return add("server", sent.failure()), false;
    const auto step = stream->next(kTimeoutMs);
    const int64_t took = wall_clock_ms() - start;
    if (!step.ok() || step->what != MCPTOKEN_STREAM_HEAD) {
      const std::string why = step.ok() ? "no answer within 5 s" : step.failure().why;
      add("server", Verdict::kBad, settings_.server + " does not answer: " + why,
          "is mcpd running there? another place: --mcpd-url URL");
      return false;
    }
    const bool healthy = stream->status() == 200;
    add("server", healthy ? Verdict::kGood : Verdict::kBad,
        settings_.server + " answers " + std::to_string(stream->status()) + " in " + std::to_string(took) + " ms",
        healthy ? "" : "is that the address of an mcpd?");
    encryption();
    clock(stream->header("Date"), start + took / 2);
    return healthy;
  }

  void encryption() {
    const bool plain = settings_.server.starts_with("http://");
    const std::string host = settings_.server.substr(settings_.server.find("://") + 3);
    const bool local = host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]");
    if (plain && !local)
      add("encryption", Verdict::kWarning, "tokens go to " + settings_.server + " unencrypted", "use https");
  }

  void clock(const std::string& date, int64_t mine_ms) {
    tm parts{};
    if (date.empty() || ::strptime(date.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts) == nullptr)
      return add("clock", Verdict::kWarning, "the server does not tell its time");
    const int64_t skew = static_cast<int64_t>(timegm(&parts)) * 1000 + 500 - mine_ms;
    const bool bad = std::llabs(skew) > kMostSkewMs;
    add("clock", bad ? Verdict::kBad : Verdict::kGood,
        bad ? "differs from the server's by " + std::to_string(skew / 1000) + " s" : "agrees with the server's",
        bad ? "set the clocks of both machines" : "");
  }

  void version() {
    auto api = Api::open(settings_, false, kTimeoutMs);
    if (!api.ok()) return;
    const auto answer = api->call("GET", "/version", {}, "cannot ask for the version");
    if (!answer.ok()) return add("version", answer.failure());
    const std::string theirs = answer->root().text("version"), mine = MCPTOKEN_VERSION;
    const auto minor = [](const std::string& text) { return text.substr(0, text.find('.', text.find('.') + 1)); };
    const bool same = minor(theirs) == minor(mine);
    add("version", same ? Verdict::kGood : Verdict::kWarning, "mcpctl " + mine + ", server " + theirs,
        same ? "" : "use the same version on both sides");
  }

  bool login() {
    if (settings_.token.empty())
      return add("login", Verdict::kWarning, "not logged in", "mcpctl login --email EMAIL"), false;
    auto api = Api::open(settings_, true, kTimeoutMs);
    if (!api.ok()) return add("login", api.failure()), false;
    const auto answer = api->call("GET", "/auth/whoami", {}, "you are not let in");
    if (!answer.ok()) return add("login", answer.failure()), false;
    const bool by_token = settings_.token_from_environment;
    add("login", by_token ? Verdict::kWarning : Verdict::kGood,
        by_token ? "MCPCTL_TOKEN is used in place of a login" : "as " + settings_.user);
    return true;
  }

  void project() {
    if (settings_.project.empty() || settings_.token_from_environment) return;
    auto api = Api::open(settings_, true, kTimeoutMs);
    if (!api.ok()) return;
    const auto answer = api->call("GET", "/projects/" + url_encode(settings_.project), {}, "it cannot be used");
    if (!answer.ok() && answer.failure().status == MCPTOKEN_NOT_FOUND)
      add("project " + settings_.project, answer.failure());
  }

  void servers() {
    auto api = Api::open(settings_, true, kTimeoutMs);
    if (!api.ok()) return;
    const auto servers = api->call("GET", "/servers", {}, "cannot list servers");
    const auto instances = api->call("GET", "/instances", {}, "cannot list instances");
    if (!servers.ok()) return;  // a right that is missing is not a fault of the installation
    const JsonValue items = servers->root().get("items");
    for (size_t i = 0; i < items.size(); ++i)
      server(items.at(i), instances.ok() ? instances->root().get("items") : JsonValue());
    if (items.size() == 0) add("servers", Verdict::kWarning, "there are none", "mcpctl create server NAME …");
  }

  void server(const JsonValue& definition, JsonValue instances) {
    const std::string name = definition.text("name");
    if (definition.get("replicas").integer(1) == 0) return add("server " + name, Verdict::kGood, "switched off (it has 0 replicas)");
    size_t running = 0;
    for (size_t i = 0; i < instances.size(); ++i) {
      const JsonValue one = instances.at(i);
      if (one.text("server") != name) continue;
      const std::string status = one.text("status");
      if (status == "ERROR" || one.text("health") == "unhealthy") {
        const JsonValue events = one.get("events");
        const std::string error = events.at(events.size() - 1).text("text");
        return add("server " + name, Verdict::kBad, status + (error.empty() ? "" : ": " + error),
                   "mcpctl logs " + name);
      }
      running += status == "RUNNING" ? 1 : 0;
    }
    add("server " + name, Verdict::kGood, running == 0 ? "not started: the first call does that" : "running");
  }

  void kept_tokens() {
    const auto credentials = Credentials::load(settings_.credentials_path, settings_.earlier_credentials_path);
    if (!credentials.ok()) return;
    const auto found = credentials->tokens.find(settings_.server);
    if (found == credentials->tokens.end()) return;
    for (const auto& [project, token] : found->second)
      kept_token(project, token);
  }

  void kept_token(const std::string& project, const std::string& token) {
    Settings as = settings_;
    as.token = token;
    as.token_from_environment = false;
    auto api = Api::open(as, true, kTimeoutMs);
    if (!api.ok()) return;
    const std::string name = "token of " + project, again = "mcpctl create mcptoken NAME -p " + project + " --save";
    const auto answer = api->call("GET", "/mcptokens/introspect", {}, "the kept token is refused");
    if (!answer.ok()) return add(name, Verdict::kBad, answer.failure().what + said(answer.failure()), again);
    int64_t ends_ms = 0;
    const bool ends = parse_time(answer->root().get("expiresAt"), ends_ms);
    const bool soon = ends && ends_ms - wall_clock_ms() < kSoonMs;
    add(name, soon ? Verdict::kWarning : Verdict::kGood, ends ? "good until " + format_time(ends_ms) : "good",
        soon ? again : "");
  }

  // Clients that start `mcpctl mcp` look for it on PATH.
  void program() {
    for (const std::string& folder : split(app_.environment()("PATH").value_or(""), ':')) {
      if (::access((folder + "/mcpctl").c_str(), X_OK) == 0) return;
    }
    add("program", Verdict::kWarning, "mcpctl is not on PATH, where clients look for it", "put its folder into PATH");
  }

  Application& app_;
  const Invocation& invocation_;
  Settings settings_;
  std::vector<Check> checks_;
};

constexpr const char* kWords[] = {"ok", "warning", "failed"};

Status show(const std::vector<Check>& checks, Format format) {
  if (format == Format::kJson || format == Format::kYaml) {
    JsonWriter writer;
    writer.begin_object().key("checks").begin_array();
    for (const Check& one : checks)
      writer.begin_object()
          .member("check", one.name)
          .member("verdict", kWords[static_cast<size_t>(one.verdict)])
          .member("detail", one.detail)
          .member("hint", one.hint)
          .end_object();
    writer.end_array().end_object();
    MCPCTL_TRY(const Bytes json, writer.finish());
    MCPCTL_TRY(const JsonDocument document, JsonDocument::parse(view_of(json), "the output"));
    Look look;
    look.format = format;
    MCPCTL_TRY(const std::string text, format_record(document.root(), look));
    return write_out(text);
  }
  constexpr Tone kTones[] = {Tone::kGood, Tone::kDim, Tone::kBad};
  for (const Check& one : checks) {
    const size_t at = static_cast<size_t>(one.verdict);
    std::string word = kWords[at];
    word.resize(8, ' ');
    std::string line = toned(word, kTones[at], use_colour()) + one.name + ": " + one.detail + "\n";
    if (!one.hint.empty()) line += "        " + one.hint + "\n";
    MCPCTL_CHECK(write_out(line));
  }
  return Done{};
}

}  // namespace

Result<int> run_doctor(Application& app, const Invocation& invocation) {
  Doctor doctor(app, invocation);
  const std::vector<Check>& checks = doctor.examine();
  const auto settings = app.settings(invocation);
  MCPCTL_CHECK(show(checks, settings.ok() ? settings->format : Format::kTable));
  for (const Check& one : checks)
    if (one.verdict == Verdict::kBad) return kExitFailed;
  return kExitOk;
}

}  // namespace mcpctl
