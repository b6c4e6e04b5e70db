#include "service/health.h"

#include <algorithm>

#include <fmt/format.h>

#include "service/service.h"

namespace mcptoken::service {
namespace {

constexpr int64_t kLoopMs = 10'000;    // without a turn; each turns once a second
constexpr int64_t kStoreMs = 180'000;  // the same of the store's thread, which turns once a minute

std::string still(std::string_view what, int64_t idle_ms, int64_t most_ms) {
  return idle_ms <= most_ms ? "" : fmt::format("{} has not moved for {} s", what, idle_ms / 1000);
}

}  // namespace

Checks checks_of(Service& service) {
  Checks out;
  std::string draining, loops;
  service.each_node([&](const Node& node) {
    if (node.draining) draining = "the server is shutting down";
    if (loops.empty()) loops = still("a loop", node.loop.now_ms() - node.meter.turned_ms.value(), kLoopMs);
  });
  out.push_back({"serving", draining});
  out.push_back({"loops", loops});
  if (auto* local = service.local()) {
    out.push_back({"store", still("the database", system_clock().mono_ms() - local->store_turned_ms(), kStoreMs)});
    // Elsewhere calls go on, and what is lost is counted.
    const bool refuses = local->audit_stuck() && service.config().strict_audit;
    const bool stuck = local->audit_stuck();
    out.push_back({"audit", stuck ? "the last events could not be written" : "", refuses || !stuck});
  }
  if (auto* remote = service.remote()) {
    // Tokens that are known go on; and nobody would ask again if no request came any more.
    out.push_back({"control-plane", remote->away() ? "it cannot be asked about tokens" : "", false});
  }
  return out;
}

bool all_pass(const Checks& checks) {
  return std::all_of(checks.begin(), checks.end(),
                     [](const Check& one) { return one.failure.empty() || !one.matters; });
}

std::string in_words(const Checks& checks) {
  std::string out;
  for (const auto& check : checks) {
    if (check.failure.empty())
      out += fmt::format("[+]{} ok\n", check.name);
    else
      out += fmt::format("[{}]{} failed: {}\n", check.matters ? '-' : '!', check.name, check.failure);
  }
  return out + (all_pass(checks) ? "readyz check passed\n" : "readyz check failed\n");
}

}  // namespace mcptoken::service
