// How a loop hands events to the writer: one Ring per loop, one Recorder for all of them.
//
// What is counted: every event is either written or part of the `lost` number of exactly one events_lost record.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "audit/event.h"
#include "audit/packed_event.h"
#include "base/clock.h"
#include "base/limits.h"

namespace mcptoken::audit {

// Single producer (the loop's thread), single consumer (the writer's).
class Ring {
 public:
  Ring(size_t capacity, size_t denied_capacity, std::function<void()> wake);  // capacity: a power of two
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // --- the producer's thread
  // Never waits for the writer. False: dropped and counted. A denial that finds the ring full goes to a reserve and is
  // dropped only when that is full, too (the writer has been unable to write for a long time).
  bool push(Event&& event);
  // Keeps a place for an event to come. False: none is left. Each kept place is filled or released.
  bool reserve();
  void release() { --reserved_; }
  void push_reserved(Event&& event);

  // --- the consumer's thread
  size_t drain(std::vector<PackedEvent>& out, size_t max);  // appends; how many
  bool empty() const;

  // --- any thread
  uint64_t lost() const { return lost_.load(std::memory_order_acquire); }                  // since construction
  uint64_t lost_denials() const { return lost_denials_.load(std::memory_order_acquire); }  // part of lost()

 private:
  bool has_room();
  bool put(const Event& event);
  bool push_denial(const Event& event);
  bool lose(const Event& event);  // counts; false
  PackedEvent* slot(size_t index) { return reinterpret_cast<PackedEvent*>(slots_.get()) + (index & mask_); }

  struct Free {
    void operator()(std::byte* memory) const;
  };
  std::unique_ptr<std::byte, Free> slots_;  // constructed in place: an idle ring touches no memory
  const size_t mask_;
  const size_t denied_capacity_;
  const std::function<void()> wake_;
  alignas(64) std::atomic<size_t> head_{0};  // next to write
  size_t tail_seen_ = 0;                     // the producer's last look at tail_
  size_t reserved_ = 0;                      // the producer's: places kept for events to come
  alignas(64) std::atomic<size_t> tail_{0};  // next to read
  alignas(64) std::atomic<uint64_t> lost_{0};
  std::atomic<uint64_t> lost_denials_{0};
  std::atomic<bool> has_denied_{false};
  std::mutex denied_mutex_;  // taken by the producer only when the ring is full
  std::deque<PackedEvent> denied_;
};

// Owns the rings. The writer's background work is  {recorder.write(tx.db()), recorder.finished(committed)}.
class Recorder {
 public:
  // `wake` asks for a turn of the writer (store::Store::wake_background); called on any thread, must be cheap.
  Recorder(const Clock& clock, std::function<void()> wake);

  // Any thread; the ring lives as long as the recorder.
  Ring& add_ring(size_t capacity = limits::kAuditRing, size_t denied_capacity = limits::kAuditDeniedReserve);

  // --- the writer's thread, alternately
  // Writes up to limits::kAuditBatch events, and a gap record for what was lost. True: more is waiting. What was taken
  // from the rings is kept until finished(true), so that a transaction that fails loses nothing.
  Result<bool> write(db::Transaction& transaction);
  void finished(bool committed);
  bool pending() const { return !batch_.empty(); }  // something was taken and is not committed
  // What write() has appended, for seal(); until finished(true).
  std::span<const EventView> written() const { return written_; }

  uint64_t lost() const;  // any thread; of all rings

 private:
  struct Source {
    std::unique_ptr<Ring> ring;
    uint64_t declared_lost = 0;  // in committed gap records
    uint64_t declared_denials = 0;
    uint64_t writing_lost = 0;  // in the transaction under way
    uint64_t writing_denials = 0;
  };
  Result<void> write_gap(db::Transaction& transaction);
  void take();

  const Clock& clock_;
  const std::function<void()> wake_;
  mutable std::mutex mutex_;  // guards the list of rings, not the rings
  std::vector<std::unique_ptr<Source>> sources_;
  std::vector<PackedEvent> batch_;   // never more than it has room for: written_ looks at it
  std::vector<EventView> written_;
  size_t next_source_ = 0;  // where the next batch begins: no loop starves another
};

}  // namespace mcptoken::audit
