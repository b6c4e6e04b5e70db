#include "cache/pipeline_cache.h"

#include <algorithm>
#include <cstring>

namespace mcptoken::cache {
namespace {

constexpr int64_t kOffMs = 60'000;         // after a failure of the disk
constexpr size_t kMemoryEntries = 65'536;  // beside the limit in bytes
constexpr int64_t kEntryOverhead = 256;

int64_t weight(const Entry& entry) { return static_cast<int64_t>(entry.value.size()) + kEntryOverhead; }

}  // namespace

size_t PipelineCache::HashKey::operator()(const Key& key) const {
  size_t out;
  std::memcpy(&out, key.data(), sizeof out);
  return out;
}

PipelineCache::PipelineCache(PipelineCacheOptions options, const Clock& clock)
    : options_(std::move(options)), clock_(clock), memory_(kMemoryEntries) {
  if (options_.dir.empty()) return;
  auto directory = Directory::open(options_.dir);
  if (directory)
    directory_.emplace(*std::move(directory));
  else
    options_.log.warn("pipeline cache: memory alone: " + directory.error().message);
}

EntryPtr PipelineCache::get(const Key& key) {
  const int64_t now = clock_.wall_ms();
  if (auto* found = memory_.find(key)) {
    if ((*found)->expires_ms > now) return ++stats_.hits_memory, *found;
    erase(key);
  } else if (disk_in_use()) {
    auto file = directory_->read(key);
    auto entry = file ? decode(key, *file) : std::nullopt;
    if (entry && entry->expires_ms > now && entry->created_ms <= now) {
      auto shared = std::make_shared<const Entry>(*std::move(entry));
      keep_in_memory(key, shared);
      ++stats_.hits_disk;
      return shared;
    }
    const bool strange = !entry && (file || file.error().status != Status::not_found);
    if (strange) ++stats_.damaged;
    if (file) directory_->remove(key);  // damaged, or too old
  }
  ++stats_.misses;
  return nullptr;
}

void PipelineCache::keep_in_memory(const Key& key, EntryPtr entry) {
  if (auto* old = memory_.find(key)) stats_.memory_bytes -= weight(**old);
  stats_.memory_bytes += weight(*entry);
  memory_.put(key, std::move(entry));
  while (stats_.memory_bytes > options_.memory_bytes || memory_.size() >= kMemoryEntries) {
    auto oldest = memory_.pop_oldest();
    if (!oldest) break;
    stats_.memory_bytes -= weight(*oldest->second);
  }
}

EntryPtr PipelineCache::put(const Key& key, Entry entry, int64_t keep_ms) {
  if (entry.value.size() > kMaxEntryBytes) return nullptr;
  entry.created_ms = clock_.wall_ms();
  entry.expires_ms = entry.created_ms + std::min(keep_ms, options_.keep_ms);
  auto shared = std::make_shared<const Entry>(std::move(entry));
  keep_in_memory(key, shared);
  return shared;
}

void PipelineCache::persist(const Key& key, const EntryPtr& entry) {
  if (!disk_in_use() || !entry) return;
  const std::string file = encode(key, *entry);
  if (static_cast<int64_t>(file.size()) > options_.disk_bytes) return;
  if (auto written = directory_->write(key, file); !written) {
    if (written.error().status != Status::corrupt) return turn_off(written.error());
    ++stats_.damaged;  // something else is in the way of this one, which is nothing to the others
    return;
  }
  said_off_ = false;
  ++stats_.writes, ++stats_.disk_entries;
  stats_.disk_bytes += static_cast<int64_t>(file.size());
  written_ += static_cast<int64_t>(file.size());
  if (stats_.disk_bytes > options_.disk_bytes)
    sweep();
  else
    sweep_step();
}

void PipelineCache::erase(const Key& key) {
  if (auto* found = memory_.find(key)) {
    stats_.memory_bytes -= weight(**found);
    memory_.erase(key);
  }
  if (directory_) directory_->remove(key);
}

void PipelineCache::turn_off(const Error& error) {
  ++stats_.failures;
  off_until_ms_ = clock_.mono_ms() + kOffMs;
  if (!std::exchange(said_off_, true)) options_.log.warn("pipeline cache: files are off for a while: " + error.message);
}

void PipelineCache::sweep_step() {
  if (!directory_) return;
  if (branch_ == 0) seen_.clear(), written_ = 0;
  for (auto& file : directory_->list(branch_, clock_.wall_ms())) {
    if (clock_.wall_ms() - file.written_ms >= options_.keep_ms)
      directory_->remove(file.key);
    else
      seen_.push_back(file);
  }
  if (++branch_ == Directory::kBranches) finish_pass();
}

void PipelineCache::sweep() {
  if (!directory_) return;
  branch_ = 0;
  do {
    sweep_step();
  } while (branch_ != 0);
}

// What came meanwhile, of any process, is seen by the next pass. Some room is made, so that not every write is a pass.
void PipelineCache::finish_pass() {
  branch_ = 0;
  int64_t bytes = 0;
  for (auto& file : seen_)
    bytes += file.bytes;
  size_t gone = 0;
  if (bytes > options_.disk_bytes) {
    std::sort(seen_.begin(), seen_.end(), [](const auto& a, const auto& b) { return a.used_ms < b.used_ms; });
    for (; gone < seen_.size() && bytes > options_.disk_bytes - options_.disk_bytes / 8; ++gone) {
      directory_->remove(seen_[gone].key);
      bytes -= seen_[gone].bytes;
    }
  }
  stats_.evicted += static_cast<int64_t>(gone);
  stats_.disk_entries = static_cast<int64_t>(seen_.size() - gone);
  stats_.disk_bytes = bytes + written_;
  seen_.clear();
}

CacheStats PipelineCache::stats() const {
  CacheStats out = stats_;
  out.disk = disk_in_use();
  out.memory_entries = static_cast<int64_t>(memory_.size());
  return out;
}

template <class Each>
void PipelineCache::each_on_disk(Each each) {
  if (!directory_) return;
  for (size_t branch = 0; branch < Directory::kBranches; ++branch) {
    for (auto& file : directory_->list(branch, clock_.wall_ms())) {
      auto head = directory_->read_head(file.key, kHeadBytes);
      auto entry = head ? decode_head(*head) : std::nullopt;
      each(file, entry);
    }
  }
}

std::vector<Listed> PipelineCache::list() {
  std::vector<Listed> out;
  each_on_disk([&](const Directory::File& file, const std::optional<Entry>& entry) {
    if (entry)
      out.push_back(
          {file.key, entry->project, entry->what, file.bytes, entry->created_ms, entry->expires_ms, file.used_ms});
  });
  return out;
}

int64_t PipelineCache::clear(const std::string& project) {
  int64_t gone = 0;
  memory_.erase_if([&](const Key&, const EntryPtr& entry) {
    if (!project.empty() && entry->project != project) return false;
    stats_.memory_bytes -= weight(*entry);
    ++gone;
    return true;
  });
  int64_t files = 0;
  each_on_disk([&](const Directory::File& file, const std::optional<Entry>& entry) {
    if (!project.empty() && (!entry || entry->project != project)) return;
    directory_->remove(file.key);
    ++files;
  });
  if (directory_) sweep();
  return std::max(gone, files);
}

}  // namespace mcptoken::cache
