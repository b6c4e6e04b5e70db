// How many failures of one kind are heard before somebody has to wait, or how much else of somebody. Each key (an
// account, an address) has a bucket that fills with failures and leaks at a steady pace. On one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "base/result.h"

namespace mcptoken::control {

class FailureLimit {
 public:
  struct Rule {
    int64_t burst;        // failures in a row
    int64_t interval_ms;  // after which one more is forgotten
    size_t keys;          // that are remembered
  };

  FailureLimit(const Clock& clock, Rule rule) : clock_(clock), rule_(rule) {}
  int64_t wait_ms(const std::string& key) const;  // until another failure would be heard; 0: now
  void count(const std::string& key) { add(key, 1); }
  void add(const std::string& key, int64_t failures);
  void take_back(const std::string& key);  // one failure that was none
  void forget(const std::string& key);

 private:
  const Clock& clock_;
  const Rule rule_;
  // When the last counted failure will be forgotten: everything that has to be known of a key.
  std::unordered_map<std::string, int64_t> forgotten_ms_;
};

// Whoever has one IPv6 address has its whole /64; other addresses stand for themselves.
std::string network_of(const std::string& address);
// limit, 429 with the seconds to wait.
Error rate_limited(std::string why, int64_t wait_ms);

}  // namespace mcptoken::control
