// What has changed lately, for those who watch: made with each snapshot, read by every loop.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "control/route.h"
#include "rbac/policy.h"
#include "store/records.h"

namespace mcptoken::service {

struct Snapshot;

struct HistoryEntry {
  int64_t revision = 0;
  store::ObjectChange change;
  std::string project;  // name; empty for global kinds
};

// Immutable: a snapshot's own.
struct History {
  int64_t after = 0;  // every change of a later revision is here
  std::vector<std::shared_ptr<const HistoryEntry>> entries;  // by revision
};

// `before` and these changes, without the oldest beyond limits::kHistoryEntries.
std::shared_ptr<const History> advance_history(const History& before, const store::Changes& changes,
                                               const Snapshot& snapshot, const Snapshot& previous);

// One who watches: which changes he has heard of already. On one loop.
class Watcher {
 public:
  Watcher(control::Watch wanted, rbac::Principal who) : wanted_(std::move(wanted)), who_(std::move(who)) {}
  // As events of a stream: what is new since the last call and may be viewed under this snapshot's policy. One `reset`
  // when changes are missing: read everything again.
  std::string news(const Snapshot& snapshot);

 private:
  bool may_hear(const Snapshot& snapshot, const HistoryEntry& entry) const;

  control::Watch wanted_;
  rbac::Principal who_;
};

}  // namespace mcptoken::service
