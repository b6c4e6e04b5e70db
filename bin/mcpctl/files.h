// Small files: read whole, written atomically with mode 0600.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "result.h"

namespace mcpctl {

inline constexpr size_t kMaxFileBytes = 1 << 20;

// The content; nothing when there is no such file. Larger than `most` is a failure. `only_owner` refuses a file
// that others may read or that belongs to somebody else.
Result<std::optional<std::string>> read_file(const std::string& path, bool only_owner,
                                             size_t most = kMaxFileBytes);
// All of standard input.
Result<std::string> read_standard_input(size_t most = kMaxFileBytes);
std::string without_line_break(std::string text);

// A file of mode 0600 that appears under its name when commit() has written it all. Opening happens first, so that a
// place that cannot be written to is noticed before there is something to lose.
class PendingFile {
 public:
  // Refuses a path that exists and is no regular file.
  static Result<PendingFile> open(const std::string& path);
  Status commit(std::string_view content);
  PendingFile(PendingFile&& other) noexcept;
  PendingFile& operator=(PendingFile&&) = delete;
  ~PendingFile();

 private:
  PendingFile(std::string path, std::string temporary, int fd);
  std::string path_, temporary_;
  int fd_;
};

// Creates the folder and its parents with mode 0700.
Status make_folder(const std::string& path);
// Holds an exclusive lock on a folder while it lives.
class FolderLock {
 public:
  static Result<FolderLock> take(const std::string& path);
  FolderLock(FolderLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace mcpctl
