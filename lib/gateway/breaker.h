// The circuit breaker of one connection to a server: who has failed again and again is left alone for a while, and then
// tried with one call, before the others go there too.
//
// Invariants: closed, calls go; open, none does until the pause is over; then one is a trial (another if that is long), whose outcome
// closes the circuit or opens it for twice as long. An answer, whatever it says, counts as success; a call that its caller
// gave up counts as nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace mcptoken::gateway {

enum class Circuit : uint8_t { closed, open, half_open };
std::string_view to_text(Circuit circuit);  // "half-open"

class Breaker {
 public:
  // `jitter(below)`: a random part of it. `shortest_ms`: of the pauses.
  Breaker(int64_t shortest_ms, std::function<int64_t(int64_t)> jitter)
      : shortest_ms_(shortest_ms), jitter_(std::move(jitter)) {}

  enum class Verdict : uint8_t { go, trial, wait };
  // Of a call that begins now. A trial ends with exactly one of the three below.
  Verdict ask(int64_t now_ms);
  void succeeded();
  // True when the circuit has opened by this.
  bool failed(int64_t now_ms);
  void given_up();

  Circuit state() const { return trial_ ? Circuit::half_open : failures_ >= kFailures ? Circuit::open : Circuit::closed; }
  int64_t retry_at_ms() const { return retry_at_ms_; }

 private:
  static constexpr int kFailures = 3;  // in a row: one slow tool is no sign of a server in trouble
  static constexpr int64_t kLongestMs = 30'000;
  const int64_t shortest_ms_;
  const std::function<int64_t(int64_t)> jitter_;
  int failures_ = 0;
  int openings_ = 0;  // in a row
  bool trial_ = false;
  int64_t retry_at_ms_ = 0;
};

}  // namespace mcptoken::gateway
