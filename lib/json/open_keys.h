// Finds equal keys within one object, for all objects that are open at the same time (a stack, innermost last).
//
// A small object compares each new key with those before it; a larger one sorts its keys when it closes. Both compare
// bytes, so no choice of keys makes it slower than n log n.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory_resource>
#include <optional>
#include <string_view>
#include <vector>

namespace mcptoken::json {

class OpenKeys {
 public:
  OpenKeys() : keys_(&arena_) { keys_.reserve(kInlineKeys); }

  // Where the next object's keys begin.
  uint32_t mark() const { return static_cast<uint32_t>(keys_.size()); }
  // Adds a key of the innermost object, which began at `mark`. `text` must stay valid; `at` is its offset for messages.
  // False when it is known already to be a duplicate.
  bool add(uint32_t mark, std::string_view text, uint32_t at) {
    const Key key{print(text), text.data(), static_cast<uint32_t>(text.size()), at};
    const Key* const last = keys_.data() + keys_.size();
    const Key* const first = keys_.data() + mark;
    if (static_cast<size_t>(last - first) < kCompared) {
      for (const Key* other = first; other != last; ++other) {
        if (other->print == key.print && same(*other, key)) return false;
      }
    }
    keys_.push_back(key);
    return true;
  }
  // Closes the innermost object and forgets its keys; the offset of a duplicate key when it has one.
  std::optional<uint32_t> close(uint32_t mark) {
    if (keys_.size() - mark > kCompared) {
      if (auto duplicate = find_duplicate(mark)) return duplicate;
    }
    keys_.resize(mark);
    return std::nullopt;
  }
  // Memory for an unescaped key that lives as long as this object.
  char* allocate(size_t size) { return static_cast<char*>(arena_.allocate(size, 1)); }

 private:
  struct Key {
    uint64_t print = 0;  // equal keys have equal prints
    const char* data = nullptr;
    uint32_t size = 0;
    uint32_t at = 0;
  };
  static constexpr size_t kCompared = 16;    // objects of up to this many members are compared key by key
  static constexpr size_t kInlineKeys = 64;  // held without touching the heap

  template <class Word>
  static uint64_t load(const char* p) {
    Word word;
    std::memcpy(&word, p, sizeof word);
    return word;
  }
  // Made of the first and the last bytes, which may overlap: no loop, and no byte outside the key is read.
  static uint64_t print(std::string_view key) {
    constexpr uint64_t kOdd = 0x9E3779B97F4A7C15;
    const char* p = key.data();
    const size_t size = key.size();
    uint64_t first = 0;
    uint64_t last = 0;
    if (size >= 8) {
      first = load<uint64_t>(p);
      last = load<uint64_t>(p + size - 8);
    } else if (size >= 4) {
      first = load<uint32_t>(p);
      last = load<uint32_t>(p + size - 4);
    } else if (size > 0) {
      first = load<uint8_t>(p) | load<uint8_t>(p + size / 2) << 8;
      last = load<uint8_t>(p + size - 1);
    }
    return (first + size) * kOdd ^ last;
  }
  static bool same(const Key& a, const Key& b);
  static bool before(const Key& a, const Key& b);
  std::optional<uint32_t> find_duplicate(uint32_t mark);

  char space_[kInlineKeys * sizeof(Key) + alignof(Key)];
  std::pmr::monotonic_buffer_resource arena_{space_, sizeof space_};
  std::pmr::vector<Key> keys_;
};

}  // namespace mcptoken::json
