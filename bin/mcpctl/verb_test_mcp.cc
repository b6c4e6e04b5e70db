// test mcp: flags to a plan, the report to a stream. The exit codes 0, 1 and 2 are the probe's.
#include <cstdlib>

#include "mcp_probe.h"
#include "project_token.h"
#include "terminal.h"
#include "verbs.h"

namespace mcpctl {
namespace {

struct EraRow {
  const char* name;
  int32_t era;
};
constexpr EraRow kEras[] = {
    {"auto", MCPTOKEN_ERA_AUTO}, {"legacy", MCPTOKEN_ERA_LEGACY}, {"modern", MCPTOKEN_ERA_MODERN}};

Result<std::string> token_of(const Invocation& invocation, const Environment& environment) {
  if (invocation.has("token") && invocation.has("token-file")) {
    return usage_failure("--token and --token-file cannot be mixed");
  }
  if (invocation.has("token")) return invocation.text("token");
  if (!invocation.has("token-file")) return environment("MCPCTL_TOKEN").value_or("");
  return read_token_file(invocation.text("token-file"));
}

Result<std::string> arguments_of(const Invocation& invocation) {
  if (!invocation.has("args")) return std::string();
  if (!invocation.has("tool")) return usage_failure("--args needs --tool NAME");
  auto document = JsonDocument::parse(invocation.text("args"), "the value of --args");
  if (!document.ok()) return Failure{kExitUsage, document.failure().what, document.failure().why, {}, {}};
  if (!document->root().is_object()) return usage_failure("--args must be a JSON object", "like {\"message\":\"hi\"}");
  return invocation.text("args");
}

Result<ProbePlan> plan_of(const Invocation& invocation, const Environment& environment) {
  ProbePlan plan;
  plan.url = invocation.arguments.front();
  MCPCTL_TRY(plan.token, token_of(invocation, environment));
  MCPCTL_TRY(plan.arguments, arguments_of(invocation));
  plan.tool = invocation.text("tool");
  if (invocation.has("tool") && plan.tool.empty()) return usage_failure("--tool is empty");
  for (const std::string& list : invocation.all("expect-tools")) {
    for (std::string& name : split(list, ',')) {
      if (!name.empty()) plan.expect_tools.push_back(std::move(name));
    }
  }
  if (invocation.has("expect-tools") && plan.expect_tools.empty()) return usage_failure("--expect-tools is empty");
  if (invocation.has("timeout")) {
    plan.timeout_ms = static_cast<int64_t>(std::strtod(invocation.text("timeout").c_str(), nullptr) * 1000);
  }
  for (const EraRow& row : kEras) {
    if (invocation.text("era") == row.name) plan.era = row.era;
  }
  plan.health = !invocation.is_set("no-health");
  // A URL that cannot be one is a mistake on the command line, not a verdict about an endpoint.
  mcptoken_bytes* base = nullptr;
  mcptoken_error* error = nullptr;
  const mcptoken_status status = mcptoken_session_base_url(plan.url.c_str(), &base, &error);
  const Bytes owned(base);
  const Error detail(error);
  if (status == MCPTOKEN_OK) return plan;
  Failure failure = failure_of(error, "bad URL \"" + plan.url + "\"");
  failure.exit_code = kExitUsage;
  if (failure.hint.empty()) failure.hint = "endpoints look like http://127.0.0.1:3100/projects/PROJECT/mcp";
  return failure;
}

}  // namespace

Result<int> run_test_mcp(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(const ProbePlan plan, plan_of(invocation, app.environment()));
  const bool json = invocation.text("output") == "json";
  Status written = Done{};
  const ProbeReport report = run_probe(plan, [&](const ProbeStage& stage) {
    if (!json && written.ok()) written = write_out(stage_line(stage, use_colour()));
  });
  MCPCTL_CHECK(std::move(written));
  if (json) {
    MCPCTL_TRY(const std::string text, report_json(plan, report));
    MCPCTL_CHECK(write_out(text));
  }
  return report.exit_code;
}

}  // namespace mcpctl
