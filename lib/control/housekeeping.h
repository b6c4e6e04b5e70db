// What the store does on a schedule: audit events past their retention go, and what has ended and is kept for nobody any
// more: records of ended tokens, login sessions, numbers of gateways' streams.
#pragma once

#include <cstdint>
#include <optional>

#include "audit/chain.h"
#include "control/control.h"

namespace mcptoken::control {

// The beginning of the audit record on its way out, in pieces of limits::kAuditPurge events, each in a transaction. The
// first of them writes an event that tells of the whole.
class AuditPurge {
 public:
  // `event`: who does it.
  AuditPurge(const audit::Cut& cut, audit::Event event);
  // How many events went; 0: nothing is left to remove. corrupt: see audit::purge; nothing was written then.
  Result<int64_t> step(store::Tx& tx, const crypto::Key& key);

 private:
  audit::Cut cut_;
  std::optional<audit::Event> event_;  // until it is written
};

// On the store's thread. Time is the transactions'.
class Housekeeping {
 public:
  explicit Housekeeping(const Control& control) : control_(control) {}

  // In a write transaction behind everything else: one piece of what is due. True: there is more, go on soon.
  Result<bool> step(store::Tx& tx);
  // Whether that transaction was committed. What cannot be done is tried again in the next round, not at once.
  void finished(bool committed);

 private:
  Result<int64_t> run_task(store::Tx& tx);
  Result<int64_t> remove_events(store::Tx& tx);
  void end_round();

  const Control& control_;
  int task_ = 0;
  int64_t began_ms_ = 0;  // this round, or the last one
  bool resting_ = false;  // until the next round
  bool stepped_ = false;  // in the transaction under way
  std::optional<AuditPurge> purge_;
};

}  // namespace mcptoken::control
