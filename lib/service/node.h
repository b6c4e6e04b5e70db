// The service's part on one loop: its copy of the snapshot, its running requests, its way into the audit log.
#pragma once

#include <array>
#include <atomic>
#include <charconv>
#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

#include "audit/ring.h"
#include "base/limits.h"
#include "control/failure_limit.h"
#include "gateway/site.h"
#include "loop/loop.h"
#include "service/meter.h"
#include "service/rule_memo.h"
#include "service/snapshot.h"

namespace mcptoken::service {

class Exchange;

// Ids of requests: none comes twice, over all loops and runs. No secrets, so that one random number serves many.
class RequestIds {
 public:
  std::string next() {
    if (run_.empty()) run_ = crypto::random_id().value_or("unknown").substr(0, 12);
    std::array<char, 16> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), ++last_ + kFirst, 36).ptr;
    return run_ + std::string(digits.data(), end);
  }

 private:
  static constexpr uint64_t kFirst = 78'364'164'096;  // 36^7: eight digits, for as long as anybody counts
  std::string run_;
  uint64_t last_ = 0;
};

struct Node {
  static constexpr int64_t kPulseMs = 1'000;
  static constexpr int64_t kWatchNotedMs = 60'000;  // between two events about one who watches the same again
  static constexpr size_t kWatchersKnown = 1'000;

  Node(loop::Loop& loop_in, gateway::Site& site_in, audit::Ring* ring_in)
      : loop(loop_in),
        site(site_in),
        ring(ring_in),
        guesses(loop_in.clock(), {limits::kBearerGuesses, limits::kBearerGuessMs, limits::kBearerGuessers}),
        watchings(loop.clock(), {1, kWatchNotedMs, kWatchersKnown}),
        pulse(loop_in),
        flusher(loop_in),
        ender(loop_in) {
    turned();
    pulse.start(
        kPulseMs, [this] { turned(); }, kPulseMs);
  }

  void turned() { meter.turned_ms.set(loop.now_ms()); }

  loop::Loop& loop;
  gateway::Site& site;
  audit::Ring* ring;                                // null in the gateway role, as is the snapshot
  SnapshotPtr snapshot;                             // from Authority::attach on
  std::shared_ptr<const gateway::Servers> servers;  // with which the upstreams were compared last
  std::list<std::shared_ptr<Exchange>> exchanges;
  Waiters watchers;  // polls of the changes feed
  RequestIds request_ids;
  std::string
      accepted_host;  // the last one, as it was sent: settings do not change, so its next request needs no judgement
  NodeMeter meter;
  std::atomic<bool> draining{false};  // written on the loop
  bool quiet = false;                 // draining, and its requests have ended
  control::FailureLimit guesses;      // of tokens, by address
  control::FailureLimit watchings;    // of traffic, that are in the record; by user and project

  RuleMemo rules;  // of the snapshot's policy

  // When a replaced token that is still used was last recorded.
  std::unordered_map<crypto::Digest, int64_t, DigestHash> alarms;

  // Last uses of tokens that the store does not know of yet; written at most once a minute per token.
  std::unordered_map<crypto::Digest, int64_t, DigestHash> reported;
  std::vector<store::TokenUse> uses;
  loop::Timer pulse;
  loop::Timer flusher;

  // When time alone ends the next credential of something that runs, by the wall clock; not before it, and not missed.
  int64_t next_end_ms = INT64_MAX;
  loop::Timer ender;
  loop::Group tasks;  // last: they use everything above
};

}  // namespace mcptoken::service
