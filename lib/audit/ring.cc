#include "audit/ring.h"

#include <algorithm>
#include <new>

#include "audit/table.h"
#include "audit/tidy.h"

namespace mcptoken::audit {

// --- Ring

void Ring::Free::operator()(std::byte* memory) const { ::operator delete (memory, std::align_val_t{alignof(PackedEvent)}); }

Ring::Ring(size_t capacity, size_t denied_capacity, std::function<void()> wake)
    : slots_(static_cast<std::byte*>(::operator new (capacity * sizeof(PackedEvent), std::align_val_t{alignof(PackedEvent)}))),
      mask_(capacity - 1),
      denied_capacity_(denied_capacity),
      wake_(std::move(wake)) {}

Ring::~Ring() {
  for (size_t i = tail_; i != head_; ++i)
    slot(i)->~PackedEvent();
}

bool Ring::has_room() {
  const size_t wanted = head_.load(std::memory_order_relaxed) + reserved_;
  if (wanted - tail_seen_ > mask_) tail_seen_ = tail_.load(std::memory_order_acquire);
  return wanted - tail_seen_ <= mask_;
}

// False: a large one found no memory, and is counted.
bool Ring::put(const Event& event) try {
  const size_t head = head_.load(std::memory_order_relaxed);
  new (slot(head)) PackedEvent(event);
  head_.store(head + 1, std::memory_order_release);
  return true;
} catch (const std::bad_alloc&) {
  return lose(event);
}

bool Ring::reserve() {
  if (!has_room()) return false;
  ++reserved_;
  return true;
}

void Ring::push_reserved(Event&& event) {
  --reserved_;
  cut(event);
  put(event);
  wake_();
}

bool Ring::push(Event&& event) {
  bool kept = true;
  cut(event);
  if (has_room()) {
    kept = put(event);
  } else if (event.outcome == Outcome::denied) {
    kept = push_denial(event);
  } else {
    kept = lose(event);
  }
  wake_();
  return kept;
}

bool Ring::push_denial(const Event& event) try {
  std::lock_guard guard(denied_mutex_);
  if (denied_.size() >= denied_capacity_) return lose(event);
  denied_.emplace_back(event);
  has_denied_.store(true, std::memory_order_release);
  return true;
} catch (const std::bad_alloc&) {
  return lose(event);
}

bool Ring::lose(const Event& event) {
  if (event.outcome == Outcome::denied) lost_denials_.fetch_add(1, std::memory_order_release);
  lost_.fetch_add(1, std::memory_order_release);
  return false;
}

size_t Ring::drain(std::vector<PackedEvent>& out, size_t max) {
  const size_t tail = tail_.load(std::memory_order_relaxed);
  const size_t count = std::min(max, head_.load(std::memory_order_acquire) - tail);
  for (size_t i = tail; i != tail + count; ++i) {
    out.push_back(std::move(*slot(i)));
    slot(i)->~PackedEvent();
  }
  tail_.store(tail + count, std::memory_order_release);
  if (count == max || !has_denied_.load(std::memory_order_acquire)) return count;
  std::lock_guard guard(denied_mutex_);
  const size_t denied = std::min(max - count, denied_.size());
  std::move(denied_.begin(), denied_.begin() + static_cast<std::ptrdiff_t>(denied), std::back_inserter(out));
  denied_.erase(denied_.begin(), denied_.begin() + static_cast<std::ptrdiff_t>(denied));
  has_denied_.store(!denied_.empty(), std::memory_order_release);
  return count + denied;
}

bool Ring::empty() const {
  return head_.load(std::memory_order_acquire) == tail_.load(std::memory_order_relaxed) &&
         !has_denied_.load(std::memory_order_acquire);
}

// --- Recorder

Recorder::Recorder(const Clock& clock, std::function<void()> wake) : clock_(clock), wake_(std::move(wake)) {
  batch_.reserve(limits::kAuditBatch);
  written_.reserve(limits::kAuditBatch);
}

Ring& Recorder::add_ring(size_t capacity, size_t denied_capacity) {
  auto source = std::make_unique<Source>();
  source->ring = std::make_unique<Ring>(capacity, denied_capacity, wake_);
  std::lock_guard guard(mutex_);
  return *sources_.emplace_back(std::move(source))->ring;
}

Result<bool> Recorder::write(db::Transaction& transaction) {
  std::lock_guard guard(mutex_);
  take();
  MCPT_CHECK(append_rows(transaction, written_));
  MCPT_CHECK(summarize(transaction, written_));
  MCPT_CHECK(write_gap(transaction));
  return std::any_of(sources_.begin(), sources_.end(), [](const auto& one) { return !one->ring->empty(); });
}

// After a failure the batch is still there, and goes first.
void Recorder::take() {
  if (batch_.empty() && !sources_.empty()) {
    for (size_t i = 0; i < sources_.size() && batch_.size() < limits::kAuditBatch; ++i)
      sources_[(next_source_ + i) % sources_.size()]->ring->drain(batch_, limits::kAuditBatch - batch_.size());
    next_source_ = (next_source_ + 1) % sources_.size();
  }
  // The last time memory may have ended half way.
  for (size_t i = written_.size(); i < batch_.size(); ++i)
    written_.push_back(tidy(batch_[i]));
}

Result<void> Recorder::write_gap(db::Transaction& transaction) {
  uint64_t lost = 0, denials = 0;
  for (auto& source : sources_) {
    source->writing_lost = source->ring->lost();
    source->writing_denials = source->ring->lost_denials();
    lost += source->writing_lost - source->declared_lost;
    denials += source->writing_denials - source->declared_denials;
  }
  if (lost == 0) return {};
  Event gap;
  gap.kind = Kind::events_lost;
  gap.time_ms = clock_.wall_ms();
  gap.user = "system";
  gap.payload = "{\"lost\":" + std::to_string(lost) + ",\"denials\":" + std::to_string(denials) + "}";
  return append_row(transaction, gap);
}

void Recorder::finished(bool committed) {
  if (!committed) return;
  std::lock_guard guard(mutex_);
  written_.clear();
  batch_.clear();
  for (auto& source : sources_) {
    source->declared_lost = source->writing_lost;
    source->declared_denials = source->writing_denials;
  }
}

uint64_t Recorder::lost() const {
  std::lock_guard guard(mutex_);
  uint64_t out = 0;
  for (const auto& source : sources_)
    out += source->ring->lost();
  return out;
}

}  // namespace mcptoken::audit
