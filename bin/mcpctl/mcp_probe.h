// The stages of `test mcp` and their report, apart from the flags that ask for them.
#pragma once
#include <mcptoken/session.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "json.h"

namespace mcpctl {

inline constexpr int kProbePassed = 0;
inline constexpr int kProbeUnreachable = 1;  // transport or authentication
inline constexpr int kProbeContract = 2;     // it answered, but not as expected

struct ProbePlan {
  std::string url;
  std::string token;  // "" sends none
  int64_t timeout_ms = 30'000;
  int32_t era = MCPTOKEN_ERA_AUTO;
  bool health = true;
  std::vector<std::string> expect_tools;
  std::string tool;       // "" makes no call
  std::string arguments;  // JSON object or ""
};

struct ProbeStage {
  std::string name;
  enum class Outcome { kOk, kFailed, kSkipped, kWarning } outcome = Outcome::kOk;
  int64_t duration_ms = 0;
  std::string detail;  // what was found
  Failure failure;     // of a failed stage or a warning: why and hint
};

struct ProbeReport {
  int exit_code = kProbePassed;
  std::vector<ProbeStage> stages;
  JsonDocument info;    // of the session, absent before connect
  JsonDocument result;  // of the call, absent when there was none
  std::vector<std::string> tools;
};

// `on_stage` sees each stage when it has ended.
ProbeReport run_probe(const ProbePlan& plan, const std::function<void(const ProbeStage&)>& on_stage);

// For people, a line a stage; and one JSON object.
std::string stage_line(const ProbeStage& stage, bool colour);
Result<std::string> report_json(const ProbePlan& plan, const ProbeReport& report);

}  // namespace mcpctl
