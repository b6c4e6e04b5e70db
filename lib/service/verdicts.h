// What the control plane said about tokens, remembered on one loop.
//
// Invariants:
//  1. A verdict is used for no longer than its lifetime: min(positive_ms, the token's expiry) for good ones,
//  negative_ms for
//     refusals, on the monotonic clock. That nobody could be asked is not remembered.
//  2. One question about a token at a time; what changed while it was under way is asked about again.
//  3. A refusal ends the good verdicts of all loops about the token, and what they were being told meanwhile is asked again.
//  4. A running request has a good verdict that is still fresh, or ends: it is asked about before the lifetime is over,
//  and
//     at once when the changes feed names the token.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/log.h"
#include "cache/lru.h"
#include "loop/flight.h"
#include "loop/loop.h"
#include "metrics/cells.h"
#include "service/auth.h"
#include "service/introspection.h"
#include "service/snapshot.h"

namespace mcptoken::service {

struct Node;

struct VerdictOptions {
  VerdictOptions() = default;
  PlaneAddress plane;
  int64_t positive_ms = 30'000;
  int64_t negative_ms = 5'000;
};

// Tokens whose verdicts may be others than they were.
struct TokenChanges {
  bool all = false;
  std::vector<std::string> watch_ids;
};

struct VerdictMeter {
  metrics::Counter known, asked, failed;
  metrics::Gauge away;  // 1: the last question was not answered
};

class Verdicts {
 public:
  // `on_ticket` gets the ticket of each good answer, and the revision it was given at; `on_refusal` the token of each
  // refusal.
  using OnTicket = std::function<void(crypto::Secret ticket, int64_t revision)>;
  using OnRefusal = std::function<void(const crypto::Digest& sha)>;
  Verdicts(Node& node, const VerdictOptions& options, Log log, OnTicket on_ticket, OnRefusal on_refusal);

  // A good verdict or a refusal; the error: nobody could say.
  loop::Task<Result<VerdictPtr>> judge(const Bearer& bearer, loop::Scope& scope);
  // The newest good one that is known, fresh or not; null: none.
  VerdictPtr last_good(const crypto::Digest& sha) {
    const VerdictPtr* found = good_.find(sha);
    return found ? *found : nullptr;
  }
  void changed(const TokenChanges& changes);
  // The control plane has refused the token elsewhere.
  void forget(const crypto::Digest& sha);
  const VerdictMeter& meter() const { return meter_; }

 private:
  struct Question {
    Question(const Bearer& bearer) : sha(bearer.sha), raw(bearer.raw.copy()), kind(bearer.kind) {}
    crypto::Digest sha;
    crypto::Secret raw;
    token::Kind kind;
    loop::Flight flight;
    TokenChanges meanwhile;  // since it was asked
    VerdictPtr answer;
  };
  VerdictPtr fresh(const crypto::Digest& sha);
  loop::Task<Result<VerdictPtr>> ask(Bearer bearer, loop::Scope& scope);
  loop::Task<Result<void>> answer(std::shared_ptr<Question> question);
  loop::Task<Result<VerdictPtr>> introspect(std::shared_ptr<Question> question);
  void keep(const crypto::Digest& sha, const VerdictPtr& verdict);
  void say_whether_away(const Error* why);
  loop::Task<Result<void>> judge_again(Bearer bearer, bool at_once);
  void begin_again(const crypto::Digest& sha, const crypto::Secret& raw, bool at_once);
  void renew(const crypto::Digest& sha, const VerdictPtr& verdict);
  void end_requests(const crypto::Digest& sha, const Error& reason);
  void sweep();

  Node& node_;
  const VerdictOptions& options_;
  Log log_;
  OnTicket on_ticket_;
  OnRefusal on_refusal_;
  VerdictMeter meter_;
  bool away_ = false;  // said in the log already
  cache::Lru<crypto::Digest, VerdictPtr, DigestHash> good_;
  cache::Lru<crypto::Digest, VerdictPtr, DigestHash> refused_;
  std::unordered_map<crypto::Digest, std::shared_ptr<Question>, DigestHash> questions_;
  std::unordered_set<crypto::Digest, DigestHash> again_;   // running requests' tokens that are being judged again
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);  // what was put off asks whether we still are
  loop::Timer sweeper_;
  loop::Group group_;  // last: its tasks use everything above
};

}  // namespace mcptoken::service
