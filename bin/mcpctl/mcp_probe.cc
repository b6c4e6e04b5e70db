#include "mcp_probe.h"

#include <mcptoken/version.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "debug.h"
#include "sanitize.h"
#include "suggest.h"
#include "terminal.h"

namespace mcpctl {
namespace {

using Outcome = ProbeStage::Outcome;

constexpr const char* kEndpoints = "endpoints look like http://HOST:PORT/projects/PROJECT/mcp";

struct HintRow {
  mcptoken_status status;
  const char* hint;
};
constexpr HintRow kHints[] = {
    {MCPTOKEN_UNAUTHENTICATED,
     "mint a token with: mcpctl create mcptoken NAME -p PROJECT, and give it with --token-file"},
    {MCPTOKEN_DENIED, "a token opens the endpoint of its own project alone"},
    {MCPTOKEN_NOT_FOUND, kEndpoints},
    {MCPTOKEN_TIMEOUT, "try a larger --timeout"},
    {MCPTOKEN_PROTOCOL, "is this the URL of an MCP endpoint? another protocol revision: --era legacy or --era modern"},
};

// A hint that came with an answer is the server's own and stays; without an answer it is the library's, meant for
// gateways.
void add_hint(Failure& failure) {
  if (!failure.unanswered && !failure.hint.empty()) return;
  if (!failure.unanswered && failure.status == MCPTOKEN_REMOTE) failure.hint = kEndpoints;
  if (failure.unanswered) failure.hint = "is the server running, and are host and port right?";
  for (const HintRow& row : kHints) {
    if (failure.status == row.status) failure.hint = row.hint;
  }
}

// A tool that answers with a JSON-RPC error was reached: that is a broken promise, not a broken line.
int code_of(const mcptoken_error* error) {
  return mcptoken_error_jsonrpc_code(error) != 0 ? kProbeContract : kProbeUnreachable;
}

struct Answered {
  mcptoken_status status = MCPTOKEN_OK;
  Bytes bytes;
  Error error;
};
// Calls one of the session functions that answer with bytes.
template <class Function, class... Arguments>
Answered ask(Function function, Arguments... arguments) {
  mcptoken_bytes* bytes = nullptr;
  mcptoken_error* error = nullptr;
  const mcptoken_status status = function(arguments..., &bytes, &error);
  return {status, Bytes(bytes), Error(error)};
}

std::string joined(const std::vector<std::string>& names, size_t most) {
  std::string text;
  for (size_t i = 0; i < names.size() && i < most; ++i)
    text += (i == 0 ? "" : ", ") + names[i];
  return names.size() > most ? text + ", …" : text;
}

class Probe {
 public:
  Probe(const ProbePlan& plan, const std::function<void(const ProbeStage&)>& on_stage)
      : plan_(plan), on_stage_(on_stage) {}

  ProbeReport run() {
    if (stage(&Probe::health) && stage(&Probe::connect)) {
      if (stage(&Probe::list) && stage(&Probe::expect)) stage(&Probe::call);
      stage(&Probe::close);
    }
    return std::move(report_);
  }

 private:
  using Clock = std::chrono::steady_clock;

  bool stage(bool (Probe::*step)()) {
    std::optional<Spinner> spinner(std::in_place);
    const bool passed = (this->*step)();
    spinner.reset();
    on_stage_(report_.stages.back());
    return passed;
  }

  void begin(const char* name) {
    report_.stages.push_back({});
    report_.stages.back().name = name;
    started_ = Clock::now();
  }

  ProbeStage& end() {
    const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started_);
    report_.stages.back().duration_ms = passed.count();
    return report_.stages.back();
  }

  bool pass(std::string detail) {
    end().detail = std::move(detail);
    return true;
  }

  bool fail(int code, Failure failure) {
    ProbeStage& stage = end();
    add_hint(failure);
    stage.outcome = Outcome::kFailed;
    stage.failure = std::move(failure);
    report_.exit_code = code;
    return false;
  }

  bool fail(const mcptoken_error* error) { return fail(code_of(error), failure_of(error, "")); }
  bool fail_contract(std::string why, std::string hint) {
    return fail(kProbeContract, Failure{kProbeContract, {}, std::move(why), std::move(hint), {}});
  }

  // For --debug: a session's steps, which may be more than one request each.
  void sent(const std::string& request, std::string_view body) {
    debug_request(request, body);
    sent_ = Clock::now();
  }
  void answered(const mcptoken_error* error, std::string_view body) {
    const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - sent_);
    debug_answer(error == nullptr ? 200 : mcptoken_error_http_status(error), passed.count(), body);
  }
  const char* opening() const {
    if (plan_.era == MCPTOKEN_ERA_AUTO) return "server/discover, or initialize";
    return plan_.era == MCPTOKEN_ERA_MODERN ? "server/discover" : "initialize";
  }

  bool health() {
    begin("health");
    if (!plan_.health) {
      end().outcome = Outcome::kSkipped;
      return true;
    }
    const Answered base = ask(mcptoken_session_base_url, plan_.url.c_str());
    if (base.status != MCPTOKEN_OK) return fail(kProbeUnreachable, failure_of(base.error.get(), ""));
    mcptoken_error* error = nullptr;
    sent("GET " + std::string(view_of(base.bytes)) + "/healthz", {});
    const mcptoken_status status =
        mcptoken_session_health(mcptoken_bytes_data(base.bytes.get()), plan_.timeout_ms, &error);
    const Error detail(error);
    answered(error, {});
    if (status == MCPTOKEN_OK) return pass(std::string(view_of(base.bytes)) + "/healthz");
    Failure failure = failure_of(error, "");
    if (failure.hint.empty() && mcptoken_error_http_status(error) != 0)
      failure.hint = "no health page there? add --no-health";
    return fail(kProbeUnreachable, std::move(failure));
  }

  bool connect() {
    begin("connect");
    mcptoken_session* session = nullptr;
    mcptoken_error* error = nullptr;
    const char* bearer = plan_.token.empty() ? nullptr : plan_.token.data();
    mcptoken_status status = mcptoken_session_new(plan_.url.c_str(), bearer, plan_.token.size(), plan_.timeout_ms,
                                                  plan_.era, &session, &error);
    session_.reset(session);
    if (status == MCPTOKEN_OK) status = mcptoken_session_introduce(session, "mcpctl", MCPTOKEN_VERSION, &error);
    sent("POST " + plan_.url + " " + opening(), {});
    if (status == MCPTOKEN_OK) status = mcptoken_session_connect(session, &error);
    const Error detail(error);
    // Whatever the refusal looked like, without a session nothing can be said about the contract.
    if (status != MCPTOKEN_OK) {
      answered(error, {});
      return fail(kProbeUnreachable, failure_of(error, ""));
    }
    const Answered info = ask(mcptoken_session_info, session);
    answered(info.error.get(), view_of(info.bytes));
    if (info.status != MCPTOKEN_OK) return fail(kProbeUnreachable, failure_of(info.error.get(), ""));
    auto document = JsonDocument::parse(view_of(info.bytes), "the session's description");
    if (!document.ok()) return fail(kProbeUnreachable, document.failure());
    report_.info = std::move(*document);
    const JsonValue root = report_.info.root();
    const JsonValue server = root.get("serverInfo");
    return pass(root.text("era") + " " + root.text("protocolVersion") + ", " + server.text("name") + " " +
                server.text("version"));
  }

  bool list() {
    begin("tools");
    sent("POST " + plan_.url + " tools/list", {});
    const Answered answer = ask(mcptoken_session_list_tools, session_.get());
    answered(answer.error.get(), view_of(answer.bytes));
    if (answer.status != MCPTOKEN_OK) return fail(answer.error.get());
    auto document = JsonDocument::parse(view_of(answer.bytes), "the list of tools");
    if (!document.ok()) return fail(kProbeUnreachable, document.failure());
    const JsonValue tools = document->root().get("tools");
    for (size_t i = 0; i < tools.size(); ++i)
      report_.tools.push_back(tools.at(i).text("name"));
    const std::string count = std::to_string(report_.tools.size());
    return pass(count + (report_.tools.size() == 1 ? " tool" : " tools") + remarks(document->root().get("_meta")));
  }

  // What a gateway of ours says about a list that is empty or lacks a server.
  static std::string remarks(JsonValue meta) {
    std::string text;
    const std::string reason = meta.text("io.mcptoken/reason");
    if (!reason.empty()) text += "; " + reason;
    const JsonValue missing = meta.get("io.mcptoken/unavailable");
    for (size_t i = 0; i < missing.size(); ++i)
      text += (i == 0 ? "; not available: " : ", ") + missing.at(i).text();
    return text;
  }

  bool expect() {
    std::vector<std::string> wanted = plan_.expect_tools;
    if (!plan_.tool.empty()) wanted.push_back(plan_.tool);
    begin("expect");
    if (wanted.empty()) {
      end().outcome = Outcome::kSkipped;
      return true;
    }
    std::vector<std::string> missing;
    for (const std::string& name : wanted) {
      const bool listed = std::find(report_.tools.begin(), report_.tools.end(), name) != report_.tools.end();
      if (!listed && std::find(missing.begin(), missing.end(), name) == missing.end()) missing.push_back(name);
    }
    if (missing.empty()) return pass(joined(wanted, wanted.size()));
    const std::string guess = did_you_mean(missing.front(), report_.tools);
    const std::string there = report_.tools.empty() ? "no tool is listed: may the token see any server of the project?"
                                                    : "listed: " + joined(report_.tools, 12);
    return fail_contract("not listed: " + joined(missing, missing.size()), (guess.empty() ? "" : guess + " ") + there);
  }

  bool call() {
    begin("call");
    if (plan_.tool.empty()) {
      end().outcome = Outcome::kSkipped;
      return true;
    }
    const char* arguments = plan_.arguments.empty() ? nullptr : plan_.arguments.data();
    sent("POST " + plan_.url + " tools/call " + plan_.tool, plan_.arguments);
    const Answered answer =
        ask(mcptoken_session_call_tool, session_.get(), plan_.tool.c_str(), arguments, plan_.arguments.size());
    answered(answer.error.get(), view_of(answer.bytes));
    if (answer.status != MCPTOKEN_OK) return fail(answer.error.get());
    auto document = JsonDocument::parse(view_of(answer.bytes), "the result of the call");
    if (!document.ok()) return fail(kProbeUnreachable, document.failure());
    report_.result = std::move(*document);
    const JsonValue result = report_.result.root();
    const std::string text = first_text(result);
    if (result.get("isError").boolean()) return fail_contract("the tool reported an error: " + text, "check --args");
    return pass(plan_.tool + (text.empty() ? "" : ": " + text));
  }

  static std::string first_text(JsonValue result) {
    constexpr size_t kMost = 200;
    const JsonValue content = result.get("content");
    for (size_t i = 0; i < content.size(); ++i) {
      const std::string text = sanitize_line(content.at(i).text("text"));
      if (text.empty()) continue;
      size_t cut = std::min(text.size(), kMost);
      while (cut < text.size() && cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80)
        --cut;
      return text.substr(0, cut) + (cut < text.size() ? "…" : "");
    }
    return {};
  }

  // A farewell that fails leaves the verdict as it is: everything that was asked for had been shown before.
  bool close() {
    begin("close");
    mcptoken_error* error = nullptr;
    const bool legacy = report_.info.root().text("era") == "legacy";  // otherwise there is nothing to say
    if (legacy) sent("DELETE " + plan_.url, {});
    const mcptoken_status status = mcptoken_session_close(session_.get(), &error);
    const Error detail(error);
    if (legacy) answered(error, {});
    ProbeStage& stage = end();
    if (status == MCPTOKEN_OK) return true;
    stage.outcome = Outcome::kWarning;
    stage.failure = failure_of(error, "");
    return true;
  }

  const ProbePlan& plan_;
  const std::function<void(const ProbeStage&)>& on_stage_;
  ProbeReport report_;
  Owned<mcptoken_session, mcptoken_session_free> session_;
  Clock::time_point started_, sent_;
};

struct OutcomeRow {
  Outcome outcome;
  const char* word;  // in the report
  const char* mark;  // on a line
  Tone tone;
};
constexpr OutcomeRow kOutcomes[] = {{Outcome::kOk, "ok", "ok  ", Tone::kGood},
                                    {Outcome::kFailed, "failed", "FAIL", Tone::kBad},
                                    {Outcome::kSkipped, "skipped", "skip", Tone::kDim},
                                    {Outcome::kWarning, "warning", "warn", Tone::kDim}};

const OutcomeRow& row_of(Outcome outcome) {
  return *std::find_if(std::begin(kOutcomes), std::end(kOutcomes), [&](const auto& r) { return r.outcome == outcome; });
}

void write_stage(JsonWriter& writer, const ProbeStage& stage) {
  writer.begin_object().member("name", stage.name).member("outcome", row_of(stage.outcome).word);
  writer.key("durationMs").integer(stage.duration_ms);
  if (!stage.detail.empty()) writer.member("detail", stage.detail);
  if (!stage.failure.why.empty()) writer.member("error", stage.failure.why);
  if (!stage.failure.hint.empty()) writer.member("hint", stage.failure.hint);
  if (!stage.failure.request_id.empty()) writer.member("requestId", stage.failure.request_id);
  writer.end_object();
}

}  // namespace

ProbeReport run_probe(const ProbePlan& plan, const std::function<void(const ProbeStage&)>& on_stage) {
  return Probe(plan, on_stage).run();
}

std::string stage_line(const ProbeStage& stage, bool colour) {
  const OutcomeRow& row = row_of(stage.outcome);
  std::string line = toned(row.mark, row.tone, colour) + "  " + stage.name;
  if (stage.outcome != Outcome::kSkipped) {
    const std::string duration = std::to_string(stage.duration_ms);
    const size_t used = stage.name.size() + duration.size();
    line += std::string(used < 14 ? 15 - used : 1, ' ') + duration + " ms";
  }
  const std::string& text = stage.failure.why.empty() ? stage.detail : stage.failure.why;
  if (!text.empty()) line += "  " + sanitize_line(text);
  line += "\n";
  if (!stage.failure.hint.empty()) line += "      hint: " + sanitize_line(stage.failure.hint) + "\n";
  if (!stage.failure.request_id.empty()) line += "      request id: " + sanitize_line(stage.failure.request_id) + "\n";
  return line;
}

Result<std::string> report_json(const ProbePlan& plan, const ProbeReport& report) {
  JsonWriter writer;
  writer.begin_object().member("url", plan.url);
  writer.member("result", report.exit_code == kProbePassed ? "pass" : "fail");
  writer.key("exitCode").integer(report.exit_code);
  if (report.info.root().present()) writer.key("session").value(report.info.root());
  writer.members("tools", report.tools);
  if (report.result.root().present()) {
    writer.key("call").begin_object().member("tool", plan.tool).key("result").value(report.result.root()).end_object();
  }
  writer.key("stages").begin_array();
  for (const ProbeStage& stage : report.stages)
    write_stage(writer, stage);
  writer.end_array().end_object();
  MCPCTL_TRY(const Bytes json, writer.finish());
  MCPCTL_TRY(const JsonDocument document, JsonDocument::parse(view_of(json), "the report"));
  MCPCTL_TRY(const std::string text, document.root().print(2));
  return sanitize_json(text) + "\n";
}

}  // namespace mcpctl
