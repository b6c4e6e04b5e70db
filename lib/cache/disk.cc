#include "cache/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "base/bytes.h"

namespace mcptoken::cache {
namespace {

constexpr mode_t kPrivateDirectory = 0700, kPrivateFile = 0600;
constexpr std::string_view kTemporary = ".new-";
constexpr int64_t kAbandonedMs = 3600'000;  // no write takes that long

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

Error io_error(std::string_view what) {
  const bool in_the_way = errno == EISDIR || errno == ENOTDIR || errno == ELOOP;
  const Status status = errno == ENOSPC || errno == EDQUOT ? Status::limit
                        : errno == ENOENT                  ? Status::not_found
                        : in_the_way                       ? Status::corrupt
                                                           : Status::io;
  return Error(status, std::string(what) + ": " + strerror(errno));
}

int open_directory(int at, const char* name) {
  return ::openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int make_directory(int at, const char* name) {
  if (::mkdirat(at, name, kPrivateDirectory) != 0 && errno != EEXIST) return -1;
  return open_directory(at, name);
}

struct Place {
  std::string first, second, name;
};

Place place_of(const Key& key) {
  std::string hex = to_hex(key);
  return {hex.substr(0, 2), hex.substr(2, 2), hex};
}

int open_leaf(int root, const Place& place, int (*open)(int, const char*)) {
  const Descriptor first(open(root, place.first.c_str()));
  return first ? open(first.get(), place.second.c_str()) : -1;
}

bool is_ours(int fd, struct stat& info) {
  return ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == ::geteuid() && info.st_nlink == 1 &&
         (info.st_mode & 077) == 0 && info.st_size >= 0 &&
         static_cast<size_t>(info.st_size) <= kMaxEntryBytes + kHeadBytes;
}

// At most that many bytes from the beginning.
bool read_all(int fd, std::string& out, size_t most) {
  out.resize(most);
  size_t size = 0;
  while (size < most) {
    const ssize_t n = ::read(fd, out.data() + size, most - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    if (n == 0) break;
    size += static_cast<size_t>(n);
  }
  out.resize(size);
  return true;
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

// Without waiting for what is no file: a pipe in its place would never open.
int open_file(int leaf, const std::string& name) {
  return ::openat(leaf, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

int64_t to_ms(const timespec& time) { return static_cast<int64_t>(time.tv_sec) * 1000 + time.tv_nsec / 1'000'000; }

template <class Each>
void each_name(int directory, Each each) {
  const int copy = ::dup(directory);
  DIR* listing = copy >= 0 ? ::fdopendir(copy) : nullptr;
  if (!listing) {
    if (copy >= 0) ::close(copy);
    return;
  }
  ::rewinddir(listing);
  while (const dirent* item = ::readdir(listing))
    each(std::string(item->d_name));
  ::closedir(listing);
}

}  // namespace

Result<Directory> Directory::open(const std::string& path) {
  if (::mkdir(path.c_str(), kPrivateDirectory) != 0 && errno != EEXIST) return fail(io_error("cache directory"));
  Directory directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat info {};
  if (directory.fd_ < 0 || ::fstat(directory.fd_, &info) != 0) return fail(io_error("cache directory"));
  if (info.st_uid != ::geteuid()) return fail(Status::denied, "the cache directory belongs to somebody else");
  if (info.st_mode & 022) return fail(Status::denied, "the cache directory can be written by others");
  return directory;
}

Directory::Directory(Directory&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
Directory::~Directory() {
  if (fd_ >= 0) ::close(fd_);
}

Result<std::string> Directory::read(const Key& key) const {
  const Place place = place_of(key);
  const Descriptor leaf(open_leaf(fd_, place, open_directory));
  if (!leaf) return fail(io_error("cache"));
  const Descriptor file(open_file(leaf.get(), place.name));
  if (!file) return fail(io_error("cache"));
  struct stat info {};
  if (!is_ours(file.get(), info)) return fail(Status::corrupt, "cache: not a file of ours");
  std::string out;
  if (!read_all(file.get(), out, static_cast<size_t>(info.st_size))) return fail(io_error("cache"));
  timespec times[2] = {};
  times[0].tv_nsec = UTIME_NOW;
  times[1].tv_nsec = UTIME_OMIT;
  (void)::futimens(file.get(), times);  // a file that looks unused may go early, that is all
  return out;
}

Result<void> Directory::write(const Key& key, std::string_view bytes) const {
  const Place place = place_of(key);
  const Descriptor leaf(open_leaf(fd_, place, make_directory));
  if (!leaf) return fail(io_error("cache"));
  MCPT_TRY(const auto random, crypto::random_id());
  const std::string temporary = std::string(kTemporary) + random;
  const Descriptor file(
      ::openat(leaf.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kPrivateFile));
  if (!file) return fail(io_error("cache"));
  const bool done = write_all(file.get(), bytes) && ::fsync(file.get()) == 0 &&
                    ::renameat(leaf.get(), temporary.c_str(), leaf.get(), place.name.c_str()) == 0;
  if (done) return {};
  auto error = io_error("cache");
  (void)::unlinkat(leaf.get(), temporary.c_str(), 0);
  return fail(std::move(error));
}

void Directory::remove(const Key& key) const {
  const Place place = place_of(key);
  const Descriptor leaf(open_leaf(fd_, place, open_directory));
  if (leaf) (void)::unlinkat(leaf.get(), place.name.c_str(), 0);
}

std::vector<Directory::File> Directory::list(size_t branch, int64_t now_ms) const {
  std::vector<File> out;
  const uint8_t number = static_cast<uint8_t>(branch);
  const Descriptor first(open_directory(fd_, to_hex({&number, 1}).c_str()));
  if (!first) return out;
  each_name(first.get(), [&](const std::string& second) {
    if (second.size() != 2) return;
    const Descriptor leaf(open_directory(first.get(), second.c_str()));
    if (!leaf) return;
    each_name(leaf.get(), [&](const std::string& name) {
      struct stat info {};
      if (::fstatat(leaf.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(info.st_mode)) return;
      File file;
      if (name.starts_with(kTemporary)) {
        if (now_ms - to_ms(info.st_mtim) > kAbandonedMs) (void)::unlinkat(leaf.get(), name.c_str(), 0);
        return;
      }
      if (name.size() != 2 * file.key.size() || !from_hex(name, file.key)) return;
      file.bytes = info.st_size;
      file.used_ms = to_ms(info.st_atim);
      file.written_ms = to_ms(info.st_mtim);
      out.push_back(file);
    });
  });
  return out;
}

std::optional<std::string> Directory::read_head(const Key& key, size_t bytes) const {
  const Place place = place_of(key);
  const Descriptor leaf(open_leaf(fd_, place, open_directory));
  if (!leaf) return std::nullopt;
  const Descriptor file(open_file(leaf.get(), place.name));
  struct stat info {};
  std::string out;
  if (!file || !is_ours(file.get(), info) || !read_all(file.get(), out, bytes)) return std::nullopt;
  return out;
}

}  // namespace mcptoken::cache
