#include "gateway/plugins/shelf.h"

namespace mcptoken::gateway {
namespace {

constexpr size_t kQueue = 4'096;
constexpr size_t kOwners = 16'384;  // whose results are counted; beyond that all counts begin anew

}  // namespace

Shelf::Shelf(cache::PipelineCacheOptions options, const Clock& clock)
    : cache_(std::move(options), clock), worker_(kQueue) {}

cache::CacheStats Shelf::stats() const {
  std::lock_guard guard(stats_mutex_);
  return stats_;
}

void Shelf::tell_stats() {
  auto stats = cache_.stats();
  std::lock_guard guard(stats_mutex_);
  stats_ = stats;
}

loop::Task<Result<cache::EntryPtr>> Shelf::get(loop::Loop& loop, cache::Key key, loop::Scope& scope) {
  Function<cache::EntryPtr(cache::PipelineCache&)> work = [key](cache::PipelineCache& cache) { return cache.get(key); };
  auto task = ask<cache::EntryPtr>(loop, std::move(work), scope);
  auto entry = co_await task;
  co_return entry;
}

// The file is a job of its own, so that it holds up no question that is waiting.
void Shelf::keep(const cache::Key& key, cache::Entry entry, int64_t keep_ms) {
  auto kept = cache_.put(key, std::move(entry), keep_ms);
  (void)worker_.submit([this, key, kept] {
    cache_.persist(key, kept);
    tell_stats();
  });
}

bool Shelf::put(cache::Key key, cache::Entry entry, int64_t keep_ms) {
  return worker_.submit(
      [this, key, entry = std::move(entry), keep_ms]() mutable { keep(key, std::move(entry), keep_ms); });
}

bool Shelf::put_result(std::string owner, cache::Key key, cache::Entry entry) {
  return worker_.submit([this, owner = std::move(owner), key, entry = std::move(entry)]() mutable {
    if (results_.size() >= kOwners && !results_.contains(owner)) results_.clear();
    auto& keys = results_[owner];
    keys.push_back(key);
    if (keys.size() > kResults) {
      cache_.erase(keys.front());
      keys.pop_front();
    }
    keep(key, std::move(entry), kResultMs);
  });
}

}  // namespace mcptoken::gateway
