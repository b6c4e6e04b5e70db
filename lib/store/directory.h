// The data directory: private to its owner, and one process at a time.
#pragma once

#include <string>

#include "base/result.h"

namespace mcptoken::store {

// Creates it with mode 0700. An existing one is narrowed to 0700 when it is empty or holds our database; a directory of
// somebody else's files is refused instead (invalid).
Result<void> prepare_directory(const std::string& dir);
std::string database_path(const std::string& dir);

// Held until destruction, over all processes; gone with the process, however it ends.
class DirectoryLock {
 public:
  DirectoryLock() = default;
  ~DirectoryLock() { release(); }
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;
  // busy, naming the directory and the process that has it.
  Result<void> acquire(const std::string& dir);
  void release();

 private:
  int fd_ = -1;
};

}  // namespace mcptoken::store
