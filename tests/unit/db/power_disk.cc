#include "unit/db/power_disk.h"

#include <algorithm>
#include <utility>

namespace mcptoken::testing {
namespace {

void put(std::string& content, uint64_t offset, std::string_view bytes) {
  if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size(), '\0');
  std::copy(bytes.begin(), bytes.end(), content.begin() + static_cast<std::ptrdiff_t>(offset));
}

// Of one write, whichever of its sectors reached the disk.
void put_some(std::string& content, const PowerDisk::Change& change, double share, std::mt19937_64& chance) {
  std::bernoulli_distribution arrives(share);
  for (size_t at = 0; at < change.bytes.size();) {
    const uint64_t place = change.offset + at;
    const size_t size = std::min<size_t>(PowerDisk::kSector - place % PowerDisk::kSector, change.bytes.size() - at);
    if (arrives(chance)) put(content, place, std::string_view(change.bytes).substr(at, size));
    at += size;
  }
}

}  // namespace

void PowerDisk::step() {
  if (++operations_ == cut_at_ && cut_) std::exchange(cut_, nullptr)();
}

void PowerDisk::cut_after(uint64_t after, std::function<void()> cut) {
  cut_at_ = operations_ + after;
  cut_ = std::move(cut);
}

PowerDisk::File* PowerDisk::open(const std::string& path, bool create) {
  auto& file = files_[path];
  if (!file && create) file = std::make_unique<File>();
  if (!file) files_.erase(path);
  return file ? file.get() : nullptr;
}

void PowerDisk::write(File& file, uint64_t offset, std::string bytes) {
  step();
  put(file.now, offset, bytes);
  file.pending.push_back({offset, std::move(bytes), false});
}

void PowerDisk::truncate(File& file, uint64_t size) {
  step();
  file.now.resize(size, '\0');
  file.pending.push_back({size, {}, true});
}

void PowerDisk::sync(File& file) {
  step();
  if (deaf) return;
  file.synced = file.now;
  file.pending.clear();
}

void PowerDisk::lose_power(std::mt19937_64& chance) {
  left_.clear();
  for (auto& [path, file] : files_) {
    // Nothing, all, or some; and in any order: a disk's cache knows no first and last.
    const double share = std::uniform_int_distribution<int>(0, 4)(chance) / 4.0;
    auto pending = file->pending;
    if (chance() % 2) std::shuffle(pending.begin(), pending.end(), chance);
    std::string content = file->synced;
    for (auto& change : pending) {
      if (!change.truncates)
        put_some(content, change, share, chance);
      else if (std::bernoulli_distribution(share)(chance))
        content.resize(change.offset, '\0');
    }
    left_[path] = std::move(content);
  }
}

void PowerDisk::restart() {
  files_.clear();
  cut_ = nullptr;
  for (auto& [path, content] : left_) {
    auto file = std::make_unique<File>();
    file->now = file->synced = content;
    files_[path] = std::move(file);
  }
}

}  // namespace mcptoken::testing
