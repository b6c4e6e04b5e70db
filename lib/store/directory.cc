#include "store/directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/bytes.h"

namespace mcptoken::store {
namespace {

tl::unexpected<Error> failed(const std::string& what, const std::string& path) {
  return fail(Status::io, what + " " + path + ": " + std::strerror(errno));
}

Result<void> sync_directory(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return failed("cannot open", path);
  const int code = ::fsync(fd);
  ::close(fd);
  return code == 0 ? Result<void>() : failed("cannot sync", path);
}

std::string holder_text(int fd) {
  char buffer[24];
  const ssize_t size = ::pread(fd, buffer, sizeof buffer, 0);
  if (size <= 0) return "another process";
  auto pid = parse_decimal(std::string_view(buffer, static_cast<size_t>(size)));
  return pid ? "process " + std::to_string(*pid) : "another process";
}

}  // namespace

std::string database_path(const std::string& dir) { return dir + "/mcptoken.db"; }

Result<void> prepare_directory(const std::string& dir) {
  if (::mkdir(dir.c_str(), 0700) == 0) {
    if (::chmod(dir.c_str(), 0700) != 0) return failed("cannot chmod", dir);  // an umask may have taken bits of ours
    auto parent = std::filesystem::path(dir).parent_path().string();
    return sync_directory(parent.empty() ? "." : parent);
  }
  if (errno != EEXIST) return failed("cannot create the data directory", dir);
  struct stat info {};
  if (::stat(dir.c_str(), &info) != 0) return failed("cannot read the data directory", dir);
  if (!S_ISDIR(info.st_mode)) return fail(Status::io, dir + " is not a directory");
  if ((info.st_mode & 077) == 0) return {};
  std::error_code error;
  const bool ours = std::filesystem::exists(database_path(dir), error) || std::filesystem::is_empty(dir, error);
  if (!ours) {
    return fail(Error(Status::invalid, "the data directory " + dir + " is open to others and holds other files")
                    .with_hint("use a directory of its own, or chmod 700 this one"));
  }
  if (::chmod(dir.c_str(), 0700) != 0) return failed("cannot chmod", dir);
  return {};
}

Result<void> DirectoryLock::acquire(const std::string& dir) {
  const std::string path = dir + "/lock";
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd_ < 0) return failed("cannot open", path);
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return failed("cannot lock", path);
    auto error = Error(Status::busy, "the data directory " + dir + " is in use by " + holder_text(fd_))
                     .with_hint("stop that process, or use another directory");
    release();
    return fail(std::move(error));
  }
  const std::string pid = std::to_string(::getpid());
  const bool written =
      ::ftruncate(fd_, 0) == 0 && ::pwrite(fd_, pid.data(), pid.size(), 0) == static_cast<ssize_t>(pid.size());
  return written || errno == ENOSPC ? Result<void>() : failed("cannot write", path);  // the number is for messages only
}

void DirectoryLock::release() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

}  // namespace mcptoken::store
