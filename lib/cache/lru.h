// Start here. lib/cache keeps what can be made again: in memory (lru.h), and on disk behind it (pipeline_cache.h, which
// uses entry.h for the files' form and disk.h for the directory).
//
// A bounded map that forgets what was used longest ago. Thread-safety: one thread.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <optional>
#include <unordered_map>
#include <utility>

namespace mcptoken::cache {

template <class Key, class Value, class Hash = std::hash<Key>>
class Lru {
 public:
  explicit Lru(size_t capacity) : capacity_(capacity) {}

  // Valid until the next put() or erase(); nullptr when it is not there. A found one is the newest again.
  Value* find(const Key& key) {
    auto it = index_.find(key);
    if (it == index_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, it->second);
    return &it->second->second;
  }
  void put(const Key& key, Value value) {
    erase(key);
    entries_.emplace_front(key, std::move(value));
    index_.emplace(key, entries_.begin());
    if (entries_.size() > capacity_) erase(Key(entries_.back().first));
  }
  bool erase(const Key& key) {
    auto it = index_.find(key);
    if (it == index_.end()) return false;
    entries_.erase(it->second);
    index_.erase(it);
    return true;
  }
  // What was used longest ago; nothing when it is empty.
  std::optional<std::pair<Key, Value>> pop_oldest() {
    if (entries_.empty()) return std::nullopt;
    auto oldest = std::move(entries_.back());
    index_.erase(oldest.first);
    entries_.pop_back();
    return oldest;
  }
  // Forgets all for which `gone` says so.
  template <class F>
  void erase_if(F gone) {
    for (auto it = entries_.begin(); it != entries_.end();) {
      if (!gone(it->first, it->second)) {
        ++it;
        continue;
      }
      index_.erase(it->first);
      it = entries_.erase(it);
    }
  }
  size_t size() const { return entries_.size(); }

 private:
  using Entries = std::list<std::pair<Key, Value>>;
  size_t capacity_;
  Entries entries_;  // newest first
  std::unordered_map<Key, typename Entries::iterator, Hash> index_;
};

}  // namespace mcptoken::cache
