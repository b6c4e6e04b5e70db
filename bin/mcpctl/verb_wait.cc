// wait: until an object is ready, or gone.
#include <poll.h>

#include <algorithm>
#include <optional>

#include "api.h"
#include "sanitize.h"
#include "target.h"
#include "terminal.h"
#include "verbs.h"

namespace mcpctl {
namespace {

constexpr int kPauseMs = 250;
constexpr int64_t kDefaultMs = 60'000;

struct State {
  bool reached = false;
  std::string is;         // how it is, for the message about the end of patience
  std::string hint = {};  // what to do about it
};

bool is_missing(const Failure& failure) { return failure.status == MCPTOKEN_NOT_FOUND; }

// A server is ready when one of its instances runs and answers; one that nobody has called has none.
Result<State> server_state(Api& api, const std::string& name) {
  MCPCTL_TRY(const JsonDocument answer,
             api.call("GET", "/instances?server=" + url_encode(name), {}, "cannot list the instances of " + name));
  const JsonValue items = answer.root().get("items");
  State state{false, "has no instance: the first call starts one"};
  for (size_t i = 0; i < items.size(); ++i) {
    const JsonValue one = items.at(i);
    if (one.get("stale").boolean()) continue;
    state.is = one.text("name") + " is " + one.text("status") + ", " + one.text("health");
    state.reached = one.text("status") == "RUNNING" && one.text("health") != "unhealthy";
    if (state.reached) break;
  }
  return state;
}

// What being ready means of each kind; of all others: being there.
Result<State> ready_state(Api& api, const Kind& kind, const std::string& name) {
  auto answer = api.call("GET", api.path_of(kind, name), {}, "cannot get " + kind.name + "/" + name);
  if (!answer.ok() && is_missing(answer.failure())) return State{false, "is not there", answer.failure().hint};
  if (!answer.ok()) return answer.failure();
  const JsonValue object = answer->root();
  if (kind.name == "server") return server_state(api, name);
  if (kind.name == "mcptoken") return State{object.text("status") == "active", "is " + object.text("status")};
  if (kind.name == "instance")
    return State{object.text("status") == "RUNNING" && object.text("health") != "unhealthy",
                 "is " + object.text("status") + ", " + object.text("health")};
  return State{true, "is there"};
}

Result<State> deleted_state(Api& api, const Kind& kind, const std::string& name) {
  auto answer = api.call("GET", api.path_of(kind, name), {}, "cannot get " + kind.name + "/" + name);
  if (!answer.ok() && is_missing(answer.failure())) return State{true, "is gone"};
  if (!answer.ok()) return answer.failure();
  // A revoked token stays for a while, so that its refusal can be told.
  const bool ended = kind.name == "mcptoken" && answer->root().text("status") != "active";
  return State{ended, "is still there"};
}

}  // namespace

Result<int> run_wait(Application& app, const Invocation& invocation) {
  MCPCTL_TRY(const Target target, target_of(app.kinds(), invocation, "get"));
  if (target.names.empty()) return usage_failure("NAME is missing", "see: mcpctl wait --help");
  const std::string wanted = invocation.text("for");
  const std::string patience = invocation.text("timeout");
  const int64_t end =
      wall_clock_ms() + (patience.empty() ? kDefaultMs : static_cast<int64_t>(std::stod(patience) * 1000));
  MCPCTL_TRY(const Settings settings, app.settings(invocation));
  MCPCTL_TRY(Api api, Api::open(settings, true));
  const auto look = wanted == "deleted" ? deleted_state : ready_state;
  std::optional<Spinner> spinner(std::in_place);
  for (const std::string& name : target.names) {
    const std::string label = sanitize_line(target.kind->name + "/" + name);
    while (true) {
      MCPCTL_TRY(const State state, look(api, *target.kind, name));
      if (state.reached) break;
      if (wall_clock_ms() >= end) {
        const std::string hint = state.hint.empty() ? "--timeout SECONDS waits longer" : state.hint;
        return Failure{kExitFailed, label + " is not " + wanted + " in time", state.is, hint, {}};
      }
      ::poll(nullptr, 0, kPauseMs);
    }
    spinner.reset();
    MCPCTL_CHECK(write_out(label + " is " + wanted + "\n"));
    spinner.emplace();
  }
  return kExitOk;
}

}  // namespace mcpctl
