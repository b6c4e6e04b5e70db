// Cells with labels. Who can name a label from outside can make as many as he likes, so everything here has a limit:
// what comes after it is counted under "_other".
//
// Thread-safety: one thread adds and counts; any thread reads, without a lock: what is there is never moved or removed.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace mcptoken::metrics {

// Words as small numbers. Number 0 is no word, 1 all those for which there was no room.
class Names {
 public:
  static constexpr uint16_t kNone = 0, kOther = 1;
  static constexpr size_t kLongest = 128;

  explicit Names(size_t most) : most_(most), names_(std::make_unique<std::string[]>(most + 2)) {
    names_[kOther] = "_other";
  }

  uint16_t number_of(std::string_view name) {
    if (name.empty()) return kNone;
    if (const auto at = numbers_.find(name); at != numbers_.end()) return at->second;
    if (numbers_.size() >= most_ || name.size() > kLongest) return kOther;
    const auto number = static_cast<uint16_t>(numbers_.size() + 2);
    names_[number] = name;
    numbers_.emplace(names_[number], number);
    return number;
  }
  bool knows(std::string_view name) const { return numbers_.find(name) != numbers_.end(); }
  // Any thread, for a number that it has from a row: rows are published after the words that they name.
  const std::string& name(uint16_t number) const { return names_[number]; }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  const size_t most_;
  std::unique_ptr<std::string[]> names_;
  std::unordered_map<std::string, uint16_t, Hash, std::equal_to<>> numbers_;
};

// Up to four labels, each a number: of Names, or of a table that the owner has.
using Labels = std::array<uint16_t, 4>;

template <class Cell>
class Series {
 public:
  explicit Series(size_t most) : most_(most), rows_(std::make_unique<std::unique_ptr<Row>[]>(most + 1)) {}

  // The cell with these labels; when there are too many, the one whose labels are all Names::kOther.
  Cell& at(Labels labels) {
    const uint64_t key = static_cast<uint64_t>(labels[0]) << 48 | static_cast<uint64_t>(labels[1]) << 32 |
                         static_cast<uint64_t>(labels[2]) << 16 | labels[3];
    if (const auto found = index_.find(key); found != index_.end()) return *found->second;
    constexpr Labels kRest = {Names::kOther, Names::kOther, Names::kOther, Names::kOther};
    if (index_.size() >= most_ && labels != kRest) return at(kRest);
    const size_t place = count_.load(std::memory_order_relaxed);
    rows_[place] = std::make_unique<Row>(labels);
    index_.emplace(key, &rows_[place]->cell);
    count_.store(place + 1, std::memory_order_release);
    return rows_[place]->cell;
  }

  // Any thread.
  template <class Each>
  void each(Each&& each) const {
    const size_t count = count_.load(std::memory_order_acquire);
    for (size_t i = 0; i < count; ++i)
      each(rows_[i]->labels, rows_[i]->cell);
  }

 private:
  struct Row {
    explicit Row(Labels labels_in) : labels(labels_in) {}
    const Labels labels;
    Cell cell;
  };
  const size_t most_;
  std::unique_ptr<std::unique_ptr<Row>[]> rows_;
  std::atomic<size_t> count_{0};
  std::unordered_map<uint64_t, Cell*> index_;
};

}  // namespace mcptoken::metrics
