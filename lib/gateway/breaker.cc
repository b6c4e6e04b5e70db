#include "gateway/breaker.h"

#include <algorithm>

namespace mcptoken::gateway {
namespace {

// A call may take minutes by its nature: then another one is tried beside it.
constexpr int kTrialPauses = 4;  // of the shortest

}  // namespace

std::string_view to_text(Circuit circuit) {
  constexpr std::string_view kWords[] = {"closed", "open", "half-open"};
  return kWords[static_cast<size_t>(circuit)];
}

Breaker::Verdict Breaker::ask(int64_t now_ms) {
  if (failures_ < kFailures) return Verdict::go;
  if (now_ms < retry_at_ms_) return Verdict::wait;
  trial_ = true;
  retry_at_ms_ = now_ms + kTrialPauses * shortest_ms_;
  return Verdict::trial;
}

void Breaker::succeeded() {
  failures_ = openings_ = 0;
  trial_ = false;
}

// Calls that went before the circuit opened may fail after it: they prolong nothing.
bool Breaker::failed(int64_t now_ms) {
  if (failures_ >= kFailures && !trial_) return false;
  if (!trial_ && ++failures_ < kFailures) return false;
  trial_ = false;
  const int64_t pause_ms = std::min(shortest_ms_ << std::min(openings_, 6), std::max(kLongestMs, shortest_ms_));
  ++openings_;
  retry_at_ms_ = now_ms + pause_ms + jitter_(pause_ms / 4);
  return true;
}

void Breaker::given_up() {
  trial_ = false;
  retry_at_ms_ = 0;
}

}  // namespace mcptoken::gateway
