// The changes feed of tokens. What changed lately is part of the snapshot: a loop reads it there, and who waits for more is
// woken when the next snapshot comes. No lock, no thread, nothing that a slow reader could hold up.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "control/runner.h"
#include "loop/loop.h"
#include "store/tx.h"

namespace mcptoken::service {

struct Node;
struct Snapshot;

// The last changes of tokens, oldest first; bounded. A value inside snapshots: copying copies pointers.
class ChangeLog {
 public:
  explicit ChangeLog(int64_t begin) : floor_(begin) {}
  // More ids than the log may hold: it begins anew, and everybody is told to ask about everything.
  void append(int64_t revision, std::vector<control::WatchId> ids);
  // Each id once; nothing when the log begins later than that.
  std::optional<std::vector<control::WatchId>> since(int64_t revision) const;

 private:
  struct Batch {
    int64_t revision;
    std::vector<control::WatchId> ids;
  };
  int64_t floor_;  // all changes after this revision are here
  size_t ids_ = 0;
  std::deque<std::shared_ptr<const Batch>> batches_;
};

// The tokens about which introspection may answer something else after `changes` (or refuse): their own records and
// bindings, their owner's bindings, groups, address and state, their project's servers, proxy models, prompts and texts.
// May name one that did not change, never misses one.
std::vector<control::WatchId> changed_tokens(const Snapshot& before, const Snapshot& after, const store::Changes& changes,
                                             const control::Keys& keys);

// Places for polls, over all loops, without a lock.
class PollPlaces {
 public:
  // Keeps its place until destruction.
  class Place {
   public:
    Place(PollPlaces& places, size_t index) : places_(&places), index_(index) {}
    Place(Place&& other) noexcept : places_(std::exchange(other.places_, nullptr)), index_(other.index_) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (places_) places_->taken_[index_].store(0, std::memory_order_release);
    }

   private:
    PollPlaces* places_;
    size_t index_;
  };
  // Any thread. limit (429): none is free, or the address has its share. Never more than the limits; two that come at the
  // same moment for the last one may both be refused.
  Result<Place> take(std::string_view address);

 private:
  size_t count(uint64_t mark) const;
  std::array<std::atomic<uint64_t>, limits::kWatchPolls> taken_{};  // a mark of the address; 0: free
};

// Who waits on one loop for the next snapshot.
class Waiters {
 public:
  std::shared_ptr<loop::Completion<void>> add();
  void wake();

 private:
  std::vector<std::shared_ptr<loop::Completion<void>>> waiting_;
};

// One poll. On the node's loop; `scope` ends it (the client has gone, the server stops).
loop::Task<Result<control::Watched>> poll_changes(PollPlaces& places, Node& node, std::string address, int64_t since,
                                                  const std::atomic<int64_t>& latest_revision, loop::Scope& scope);

}  // namespace mcptoken::service
