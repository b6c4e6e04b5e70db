// A bounded map that forgets what was used longest ago. Thread-safety: one thread.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
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
