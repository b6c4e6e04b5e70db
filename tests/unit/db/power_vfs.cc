// PowerDisk as SQLite's default file system. One process uses it, so locks are granted to whoever asks.
#include <sqlite3.h>

#include <algorithm>
#include <cstring>

#include "unit/db/power_disk.h"

namespace mcptoken::testing {
namespace {

struct Handle {
  sqlite3_file base;
  PowerDisk* disk;
  PowerDisk::File* file;
};

Handle& of(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file); }

int close_file(sqlite3_file*) { return SQLITE_OK; }

int read_file(sqlite3_file* file, void* out, int amount, sqlite3_int64 offset) {
  const std::string& content = of(file).file->now;
  const auto size = static_cast<size_t>(amount), at = static_cast<size_t>(offset);
  const size_t there = at < content.size() ? std::min(size, content.size() - at) : 0;
  std::memcpy(out, content.data() + at * (there > 0), there);
  if (there == size) return SQLITE_OK;
  std::memset(static_cast<char*>(out) + there, 0, size - there);
  return SQLITE_IOERR_SHORT_READ;
}

int write_file(sqlite3_file* file, const void* bytes, int amount, sqlite3_int64 offset) {
  of(file).disk->write(*of(file).file, static_cast<uint64_t>(offset),
                       std::string(static_cast<const char*>(bytes), static_cast<size_t>(amount)));
  return SQLITE_OK;
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  of(file).disk->truncate(*of(file).file, static_cast<uint64_t>(size));
  return SQLITE_OK;
}

int sync_file(sqlite3_file* file, int) {
  of(file).disk->sync(*of(file).file);
  return SQLITE_OK;
}

int size_of_file(sqlite3_file* file, sqlite3_int64* out) {
  *out = static_cast<sqlite3_int64>(of(file).file->now.size());
  return SQLITE_OK;
}

int lock(sqlite3_file*, int) { return SQLITE_OK; }
int is_reserved(sqlite3_file*, int* out) { return *out = 0, SQLITE_OK; }
// Nothing is mapped into memory; the product asks for that, and reads back whether it is so.
int control(sqlite3_file*, int what, void* value) {
  if (what != SQLITE_FCNTL_MMAP_SIZE) return SQLITE_NOTFOUND;
  *static_cast<sqlite3_int64*>(value) = 0;
  return SQLITE_OK;
}
int sector_size(sqlite3_file*) { return static_cast<int>(PowerDisk::kSector); }
int traits(sqlite3_file*) { return 0; }  // nothing is promised: no atomic writes, no order, no powersafe overwrite

// The index of the log is memory, and gone with the power.
int map_shared(sqlite3_file* file, int region, int size, int extend, void volatile** out) {
  auto& regions = of(file).file->shared;
  *out = nullptr;
  while (extend && regions.size() <= static_cast<size_t>(region))
    regions.push_back(std::make_unique<char[]>(static_cast<size_t>(size)));
  if (static_cast<size_t>(region) < regions.size()) *out = regions[static_cast<size_t>(region)].get();
  return SQLITE_OK;
}
int lock_shared(sqlite3_file*, int, int, int) { return SQLITE_OK; }
void barrier(sqlite3_file*) {}
int unmap_shared(sqlite3_file* file, int remove) {
  if (remove) of(file).file->shared.clear();
  return SQLITE_OK;
}

constexpr sqlite3_io_methods kMethods = {
    2,       close_file,  read_file, write_file, truncate_file, sync_file, size_of_file, lock,    lock,   is_reserved,
    control, sector_size, traits,    map_shared, lock_shared,   barrier,   unmap_shared, nullptr, nullptr};

PowerDisk& disk_of(sqlite3_vfs* vfs) { return *static_cast<PowerDisk*>(vfs->pAppData); }

int open_file(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* flags_out) {
  auto& disk = disk_of(vfs);
  Handle& handle = of(file);
  handle.base.pMethods = nullptr;
  // The product makes the file before the library opens it.
  handle.file = disk.open(name ? name : "temporary", true);
  handle.disk = &disk;
  handle.base.pMethods = &kMethods;
  if (flags_out) *flags_out = flags;
  return SQLITE_OK;
}

int remove_file(sqlite3_vfs* vfs, const char* name, int) {
  disk_of(vfs).remove(name);
  return SQLITE_OK;
}

int access_file(sqlite3_vfs* vfs, const char* name, int, int* out) {
  *out = disk_of(vfs).exists(name);
  return SQLITE_OK;
}

int full_path(sqlite3_vfs*, const char* name, int size, char* out) {
  sqlite3_snprintf(size, out, "%s", name);
  return SQLITE_OK;
}

sqlite3_vfs* real() {
  static sqlite3_vfs* found = sqlite3_vfs_find("unix");
  return found;
}
int randomness(sqlite3_vfs*, int size, char* out) { return real()->xRandomness(real(), size, out); }
int sleep(sqlite3_vfs*, int microseconds) { return real()->xSleep(real(), microseconds); }
int now(sqlite3_vfs*, double* out) { return real()->xCurrentTime(real(), out); }

}  // namespace

PowerDisk::PowerDisk() : vfs_(std::make_shared<sqlite3_vfs>()) {
  real();
  vfs_->iVersion = 1;
  vfs_->szOsFile = sizeof(Handle);
  vfs_->mxPathname = 512;
  vfs_->zName = "power";
  vfs_->pAppData = this;
  vfs_->xOpen = open_file;
  vfs_->xDelete = remove_file;
  vfs_->xAccess = access_file;
  vfs_->xFullPathname = full_path;
  vfs_->xRandomness = randomness;
  vfs_->xSleep = sleep;
  vfs_->xCurrentTime = now;
  sqlite3_vfs_register(vfs_.get(), 1);
}

PowerDisk::~PowerDisk() {
  sqlite3_vfs_unregister(vfs_.get());
  sqlite3_vfs_register(real(), 1);
}

}  // namespace mcptoken::testing
