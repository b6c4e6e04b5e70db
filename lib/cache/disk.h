// A directory of small files under hashed names, <dir>/ab/cd/<64 hex digits>, which other processes may use, too.
//
// Invariants:
//  1. A file appears whole or not at all: it is written under a temporary name, synced, renamed.
//  2. No link is followed below the directory, and only a regular file of ours with one name is read: what somebody
//  else
//     has put there is nothing, and what a link points to is never touched.
//  3. Nothing here is needed: a failure costs what was cached, never more.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cache/entry.h"

namespace mcptoken::cache {

class Directory {
 public:
  // Makes the directory (0700) when it is missing. denied: it belongs to somebody else, or others may write to it.
  static Result<Directory> open(const std::string& path);
  ~Directory();
  Directory(Directory&& other) noexcept;
  Directory& operator=(Directory&&) = delete;

  // Reading marks the file as used. not_found; corrupt: there is something else in its place.
  Result<std::string> read(const Key& key) const;
  // io; limit: the disk, or the quota, is full.
  Result<void> write(const Key& key, std::string_view bytes) const;
  void remove(const Key& key) const;

  struct File {
    Key key{};
    int64_t bytes = 0;
    int64_t used_ms = 0;  // wall clock
    int64_t written_ms = 0;
  };
  // The files of one of the kBranches first-level directories. Temporary ones that nobody can be writing any more go.
  static constexpr size_t kBranches = 256;
  std::vector<File> list(size_t branch, int64_t now_ms) const;
  // The first bytes of a file; nothing when it cannot be read.
  std::optional<std::string> read_head(const Key& key, size_t bytes) const;

 private:
  explicit Directory(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace mcptoken::cache
