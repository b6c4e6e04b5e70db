// When a loop looks again instead of going to sleep. Between two messages of a conversation little time passes; whoever sleeps
// pays for being woken, and finds that the processor has worked for others and its caches are theirs.
//
// Invariant: looking pays for itself or stops. A wait that was longer than the bound after all, or in which others took the
// processor, doubles the number of short waits in a row that must come before the next try, up to kMostProof; a try that succeeds
// halves it. Where processors are scarce, those who look keep those from working whom they wait for.
#pragma once

#include <algorithm>
#include <cstdint>

namespace mcptoken::loop {

class BusyPoll {
 public:
  static constexpr int kMostProof = 64;
  static constexpr int64_t kMostUs = 10'000;

  void set_bound_us(int64_t us) { *this = BusyPoll(std::clamp<int64_t>(us, 0, kMostUs) * 1000); }
  int64_t bound_ns() const { return bound_ns_; }
  bool enabled() const { return bound_ns_ > 0; }
  // Whether the next wait should begin with looking, for bound_ns() at most.
  bool worthwhile() const { return short_waits_ >= proof_; }

  // Something came after `ns`. Who slept has slept longer by what waking takes.
  void slept(int64_t ns) { short_waits_ = ns <= 2 * bound_ns_ ? std::min(short_waits_ + 1, kMostProof) : 0; }
  // `preempted`: others took the processor meanwhile.
  void looked(int64_t ns, bool preempted) {
    const bool paid = ns <= bound_ns_ && !preempted;
    short_waits_ = paid ? std::min(short_waits_ + 1, kMostProof) : 0;
    proof_ = paid ? std::max(proof_ / 2, 1) : std::min(proof_ * 2, kMostProof);
  }

  BusyPoll() = default;

 private:
  explicit BusyPoll(int64_t bound_ns) : bound_ns_(bound_ns) {}
  int64_t bound_ns_ = 0;
  int short_waits_ = 0;
  int proof_ = 1;
};

}  // namespace mcptoken::loop
