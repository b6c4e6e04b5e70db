#include "files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace mcpctl {
namespace {

Failure system_failure(std::string what) { return {kExitFailed, std::move(what), std::strerror(errno), {}, {}}; }

Result<std::string> read_all(int fd, const std::string& name, size_t most) {
  std::string content;
  char buffer[16384];
  for (;;) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_failure("cannot read " + name);
    if (got == 0) return content;
    content.append(buffer, static_cast<size_t>(got));
    if (content.size() > most) return Failure{kExitFailed, name + " is too large", {}, {}, {}};
  }
}

Status check_owner(int fd, const std::string& path) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return system_failure("cannot read " + path);
  if (info.st_uid != ::geteuid() && info.st_uid != 0) {
    return Failure{kExitFailed, "refusing to use " + path, "it belongs to another user", {}, {}};
  }
  if ((info.st_mode & 077) == 0) return Done{};
  return Failure{kExitFailed, "refusing to use " + path, "others may read it", "chmod 600 " + path, {}};
}

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t put = ::write(fd, content.data(), content.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return false;
    content.remove_prefix(static_cast<size_t>(put));
  }
  return true;
}

}  // namespace

Result<std::optional<std::string>> read_file(const std::string& path, bool only_owner, size_t most) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) return std::optional<std::string>();
  if (fd < 0) return system_failure("cannot read " + path);
  Status owner = only_owner ? check_owner(fd, path) : Status(Done{});
  Result<std::string> content = owner.ok() ? read_all(fd, path, most) : Result<std::string>(owner.failure());
  ::close(fd);
  if (!content.ok()) return content.failure();
  return std::optional<std::string>(std::move(*content));
}

Result<std::string> read_standard_input(size_t most) { return read_all(STDIN_FILENO, "standard input", most); }

std::string without_line_break(std::string text) {
  if (!text.empty() && text.back() == '\n') text.pop_back();
  if (!text.empty() && text.back() == '\r') text.pop_back();
  return text;
}

PendingFile::PendingFile(std::string path, std::string temporary, int fd)
    : path_(std::move(path)), temporary_(std::move(temporary)), fd_(fd) {}

PendingFile::PendingFile(PendingFile&& other) noexcept
    : path_(std::move(other.path_)), temporary_(std::move(other.temporary_)), fd_(std::exchange(other.fd_, -1)) {}

PendingFile::~PendingFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

Result<PendingFile> PendingFile::open(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    return Failure{kExitFailed, "cannot write " + path, "it exists and is no regular file", {}, {}};
  }
  std::string temporary = path + ".XXXXXX";
  const int fd = ::mkostemp(temporary.data(), O_CLOEXEC);  // mode 0600
  if (fd < 0) return system_failure("cannot write " + path);
  return PendingFile(path, temporary, fd);
}

Status PendingFile::commit(std::string_view content) {
  if (!write_all(fd_, content) || ::fsync(fd_) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    return system_failure("cannot write " + path_);
  }
  ::close(std::exchange(fd_, -1));
  return Done{};
}

Status make_folder(const std::string& path) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) return system_failure("cannot create the folder " + part);
    if (slash == std::string::npos) return Done{};
  }
}

Result<FolderLock> FolderLock::take(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return system_failure("cannot open the folder " + path);
  while (::flock(fd, LOCK_EX) != 0) {
    if (errno == EINTR) continue;
    Failure failure = system_failure("cannot lock the folder " + path);
    ::close(fd);
    return failure;
  }
  return FolderLock(fd);
}

FolderLock::~FolderLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace mcpctl
