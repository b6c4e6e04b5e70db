#include "service/cache_view.h"

#include "base/bytes.h"
#include "base/time_text.h"

namespace mcptoken::service {
namespace {

using json::Value;

struct Row {
  std::string_view name;
  int64_t cache::CacheStats::*field;
};
constexpr Row kRows[] = {
    {"hitsMemory", &cache::CacheStats::hits_memory},
    {"hitsDisk", &cache::CacheStats::hits_disk},
    {"misses", &cache::CacheStats::misses},
    {"writes", &cache::CacheStats::writes},
    {"failures", &cache::CacheStats::failures},
    {"damaged", &cache::CacheStats::damaged},
    {"evicted", &cache::CacheStats::evicted},
    {"memoryEntries", &cache::CacheStats::memory_entries},
    {"memoryBytes", &cache::CacheStats::memory_bytes},
    {"diskEntries", &cache::CacheStats::disk_entries},
    {"diskBytes", &cache::CacheStats::disk_bytes},
};

Value time_value(int64_t ms) { return Value::string(to_iso8601(ms)); }

}  // namespace

loop::Task<Result<Value>> stats_of_cache(gateway::Site& asker, loop::Scope& scope) {
  Function<cache::CacheStats(cache::PipelineCache&)> work = [](cache::PipelineCache& cache) { return cache.stats(); };
  auto asking = asker.gateway.shelf().ask<cache::CacheStats>(asker.loop, std::move(work), scope);
  MCPT_CO_TRY(const auto stats, co_await asking);
  Value out = Value::object();
  out.set("disk", Value::boolean(stats.disk));
  for (auto& row : kRows)
    out.set(row.name, Value::integer(stats.*row.field));
  co_return out;
}

loop::Task<Result<std::vector<control::CacheEntry>>> entries_of_cache(gateway::Site& asker, loop::Scope& scope) {
  Function<std::vector<cache::Listed>(cache::PipelineCache&)> work = [](cache::PipelineCache& cache) {
    return cache.list();
  };
  auto asking = asker.gateway.shelf().ask<std::vector<cache::Listed>>(asker.loop, std::move(work), scope);
  MCPT_CO_TRY(const auto listed, co_await asking);
  std::vector<control::CacheEntry> out;
  for (auto& one : listed) {
    control::CacheEntry entry;
    entry.key = to_hex(one.key);
    entry.project_id = one.project;
    entry.object = Value::object();
    entry.object.set("key", Value::string(entry.key));
    entry.object.set("what", Value::string(one.what));
    entry.object.set("bytes", Value::integer(one.bytes));
    entry.object.set("createdAt", time_value(one.created_ms));
    entry.object.set("expiresAt", time_value(one.expires_ms));
    entry.object.set("usedAt", time_value(one.used_ms));
    out.push_back(std::move(entry));
  }
  co_return out;
}

loop::Task<Result<int64_t>> clear_the_cache(gateway::Site& asker, std::string project_id, loop::Scope& scope) {
  Function<int64_t(cache::PipelineCache&)> work = [project_id](cache::PipelineCache& cache) {
    return cache.clear(project_id);
  };
  auto asking = asker.gateway.shelf().ask<int64_t>(asker.loop, std::move(work), scope);
  auto gone = co_await asking;
  co_return gone;
}

}  // namespace mcptoken::service
