#include "store/ballast.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/limits.h"

namespace mcptoken::store {
namespace {

// Blocks that are there, not a size: a file with holes keeps nothing.
bool has_blocks(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 && int64_t{info.st_blocks} * 512 >= limits::kBallastBytes;
}

bool has_room(int fd) {
  struct statvfs info {};
  if (::fstatvfs(fd, &info) != 0) return false;
  return static_cast<int64_t>(info.f_bavail) * static_cast<int64_t>(info.f_frsize) >= 2 * limits::kBallastBytes;
}

}  // namespace

Result<void> Ballast::hold() {
  if (held_) return {};
  int fd = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return fail(Status::io, "cannot open " + path_ + ": " + std::strerror(errno));
  int code = 0;
  held_ = has_blocks(fd);
  if (!held_ && has_room(fd)) {
    code = ::posix_fallocate(fd, 0, limits::kBallastBytes);
    held_ = code == 0;
  }
  if (!held_) (void)!::ftruncate(fd, 0);  // half of it helps nobody
  ::close(fd);
  if (held_) return {};
  if (code == 0 || code == ENOSPC) return fail(Status::limit, "no space for " + path_);
  return fail(Status::io, "cannot reserve " + path_ + ": " + std::strerror(code));
}

bool Ballast::release() {
  if (!held_) return false;
  held_ = false;
  return ::truncate(path_.c_str(), 0) == 0;
}

}  // namespace mcptoken::store
