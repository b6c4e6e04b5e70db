// What proxy models have made of content, and results that clients look into page by page: memory in front of files.
//
// Invariants:
//  1. A miss costs work, never an answer. A damaged, foreign or cut-off file is a miss; a full disk turns the files off
//  for
//     a while, with one line in the log, and memory goes on.
//  2. What is found is what was put under exactly that key. Who may see what is decided by what goes into the key.
//  3. Both halves have a limit in bytes; what was used longest ago goes first.
//
// Thread-safety: one thread, which blocks on files.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "cache/disk.h"
#include "cache/entry.h"
#include "cache/lru.h"

namespace mcptoken::cache {

struct PipelineCacheOptions {
  PipelineCacheOptions() = default;
  std::string dir;  // "": memory alone
  int64_t disk_bytes = 256LL * 1024 * 1024;
  int64_t memory_bytes = 32LL * 1024 * 1024;
  int64_t keep_ms = 24 * 3600'000LL;  // nothing is kept for longer
  Log log;
};

struct CacheStats {
  bool disk = false;  // files are in use at the moment
  int64_t hits_memory = 0, hits_disk = 0, misses = 0;
  int64_t writes = 0, failures = 0, damaged = 0, evicted = 0;
  int64_t memory_entries = 0, memory_bytes = 0;
  int64_t disk_entries = 0, disk_bytes = 0;  // as of the last sweep, and what was written since
};

struct Listed {
  Key key{};
  std::string project, what;
  int64_t bytes = 0, created_ms = 0, expires_ms = 0, used_ms = 0;
};

using EntryPtr = std::shared_ptr<const Entry>;

class PipelineCache {
 public:
  PipelineCache(PipelineCacheOptions options, const Clock& clock);

  EntryPtr get(const Key& key);  // null: a miss
  // In memory at once. The times are set here: `keep_ms` from now on, at most as long as everything. Null: too large.
  EntryPtr put(const Key& key, Entry entry, int64_t keep_ms);
  // To disk, what put() returned: may take as long as the disk does. Then a step of the sweep.
  void persist(const Key& key, const EntryPtr& entry);
  void erase(const Key& key);

  // Removes what has expired, and what is over the limit. One branch of the directory each time.
  void sweep_step();
  void sweep();  // all of it

  CacheStats stats() const;
  std::vector<Listed> list();
  int64_t clear(const std::string& project);  // its entries, or all for ""; how many there were

 private:
  struct HashKey {
    size_t operator()(const Key& key) const;
  };
  bool disk_in_use() const { return directory_ && clock_.mono_ms() >= off_until_ms_; }
  void keep_in_memory(const Key& key, EntryPtr entry);
  void turn_off(const Error& error);
  void finish_pass();
  template <class Each>
  void each_on_disk(Each each);

  PipelineCacheOptions options_;
  const Clock& clock_;
  std::optional<Directory> directory_;
  int64_t off_until_ms_ = 0;
  bool said_off_ = false;
  Lru<Key, EntryPtr, HashKey> memory_;
  CacheStats stats_;
  size_t branch_ = 0;
  std::vector<Directory::File> seen_;  // of the pass under way
  int64_t written_ = 0;                // bytes since it began
};

}  // namespace mcptoken::cache
