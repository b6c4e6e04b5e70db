// A disk in memory, under SQLite, that can lose its power. It keeps what was written apart from what was synced: a cut
// leaves what was synced, and of the rest what chance leaves, sector by sector.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

struct sqlite3_vfs;

namespace mcptoken::testing {

class PowerDisk {
 public:
  static constexpr size_t kSector = 512;

  // Every database that this process opens while the object lives is on this disk.
  PowerDisk();
  ~PowerDisk();
  PowerDisk(const PowerDisk&) = delete;
  PowerDisk& operator=(const PowerDisk&) = delete;

  // The power goes at the `after`th write, sync or change of size from now: then `cut` runs, once. What the program
  // does afterwards no longer matters.
  void cut_after(uint64_t after, std::function<void()> cut);
  // What is on the disk after a cut at this moment.
  void lose_power(std::mt19937_64& chance);
  // The power is back: the disk holds what the last lose_power left. No database may be open.
  void restart();
  bool deaf = false;  // says that it has synced, and has not

  // --- for the virtual file system
  struct Change {
    uint64_t offset = 0;
    std::string bytes;
    bool truncates = false;  // to `offset`
  };
  struct File {
    std::string now, synced;
    std::vector<Change> pending;  // since the last sync
    std::vector<std::unique_ptr<char[]>> shared;
  };
  File* open(const std::string& path, bool create);
  bool exists(const std::string& path) const { return files_.count(path) > 0; }
  void remove(const std::string& path) { files_.erase(path); }
  void write(File& file, uint64_t offset, std::string bytes);
  void truncate(File& file, uint64_t size);
  void sync(File& file);

 private:
  void step();
  std::map<std::string, std::unique_ptr<File>> files_;
  std::map<std::string, std::string> left_;  // by the last cut
  uint64_t operations_ = 0;
  uint64_t cut_at_ = 0;
  std::function<void()> cut_;
  std::shared_ptr<sqlite3_vfs> vfs_;
};

}  // namespace mcptoken::testing
