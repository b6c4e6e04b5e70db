// The pipeline cache for all loops: a thread of its own owns it, because it works on files; loops send questions and
// get answers as messages. And the results that clients may look into, which are entries of the same cache.
//
// Invariants:
//  1. No loop waits for a write. What was put is found by every later get of any loop: both go through one queue.
//  2. Who owns a result has at most kResults of them; the oldest goes first.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "cache/pipeline_cache.h"
#include "loop/loop.h"
#include "loop/task.h"
#include "loop/worker.h"

namespace mcptoken::gateway {

class Shelf {
 public:
  static constexpr size_t kResults = 64;
  static constexpr int64_t kResultMs = 5 * 60'000;

  Shelf(cache::PipelineCacheOptions options, const Clock& clock);

  // From any loop. Null: a miss.
  loop::Task<Result<cache::EntryPtr>> get(loop::Loop& loop, cache::Key key, loop::Scope& scope);
  // False, as below: there is no room, and it will not be found.
  bool put(cache::Key key, cache::Entry entry, int64_t keep_ms);
  [[nodiscard]] bool put_result(std::string owner, cache::Key key, cache::Entry entry);

  // Any thread: as after the last job.
  cache::CacheStats stats() const;

  // Anything else; `work` runs on the cache's thread. From any loop.
  template <class T>
  loop::Task<Result<T>> ask(loop::Loop& loop, Function<T(cache::PipelineCache&)> work, loop::Scope& scope) {
    auto done = std::make_shared<loop::Completion<T>>();
    const bool accepted = worker_.submit([this, done, &loop, work = std::move(work)]() mutable {
      loop.post([done, result = work(cache_)]() mutable { done->resolve(std::move(result)); });
      tell_stats();
    });
    if (!accepted) co_return fail(Status::busy, "the cache has too much to do");
    auto result = co_await done->wait(scope);
    co_return result;
  }

 private:
  void keep(const cache::Key& key, cache::Entry entry, int64_t keep_ms);
  void tell_stats();

  mutable std::mutex stats_mutex_;  // no loop takes it
  cache::CacheStats stats_;

  // --- the worker's thread
  cache::PipelineCache cache_;
  std::unordered_map<std::string, std::deque<cache::Key>> results_;  // by owner, oldest first
  loop::Worker worker_;                                              // last: its thread uses everything above
};

}  // namespace mcptoken::gateway
