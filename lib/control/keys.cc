#include "control/keys.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/bytes.h"
#include "store/tx.h"

namespace mcptoken::control {
namespace {

// Closes on the way out.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

tl::unexpected<Error> io(const std::string& path, const char* what) {
  return fail(Status::io, "cannot " + std::string(what) + " " + path + ": " + std::strerror(errno));
}

Result<void> read_key(int fd, const std::string& path, crypto::Key& key) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return io(path, "read");
  if (!S_ISREG(info.st_mode)) return fail(Status::denied, path + " is not a plain file");
  if ((info.st_mode & 077) != 0) return fail(Status::denied, path + " may be read by others: chmod 600 it");
  if (info.st_size != static_cast<off_t>(key.size()) ||
      ::read(fd, key.data(), key.size()) != static_cast<ssize_t>(key.size()))
    return fail(Status::corrupt, path + " must have exactly 32 bytes");
  return {};
}

Result<void> write_all(int fd, const crypto::Key& key, const std::string& path) {
  if (::write(fd, key.data(), key.size()) != static_cast<ssize_t>(key.size()) || ::fsync(fd) != 0)
    return io(path, "write");
  return {};
}

Result<void> sync_directory(const std::string& path) {
  const Descriptor dir(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (dir.get() < 0 || ::fsync(dir.get()) != 0) return io(path, "sync");
  return {};
}

Result<void> make_key(const std::string& path, const std::string& directory, crypto::Key& key) {
  MCPT_CHECK(crypto::random_bytes(key));
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file.get() < 0) return io(path, "create");
  if (auto written = write_all(file.get(), key, path); !written) {
    ::unlink(path.c_str());  // half a key would be refused for ever
    return written;
  }
  return sync_directory(directory);
}

}  // namespace

Keys Keys::from_master(const crypto::Key& master) {
  Keys keys;
  keys.secrets_ = crypto::subkey(master, 1, "secrets_");
  keys.audit_ = crypto::subkey(master, 2, "audit___");
  keys.watch_ = crypto::subkey(master, 3, "watch___");
  keys.mark_ = crypto::subkey(master, 4, "mark____");
  return keys;
}

Keys::Keys(Keys&& other) noexcept : secrets_(other.secrets_), audit_(other.audit_), watch_(other.watch_), mark_(other.mark_) {}

Keys::~Keys() {
  for (auto* key : {&secrets_, &audit_, &watch_, &mark_})
    crypto::wipe(key->data(), key->size());
}

Result<Keys> Keys::open(const KeyOptions& options) {
  const auto directory = options.data_dir + "/keys";
  const auto path = options.key_file.empty() ? directory + "/master.key" : options.key_file;
  crypto::Key master{};
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (file.get() >= 0) {
    MCPT_CHECK(read_key(file.get(), path, master));
  } else if (errno != ENOENT) {
    return io(path, "open");
  } else if (options.database_exists || !options.key_file.empty()) {
    return fail(
        Error(Status::unavailable, "the key " + path + " is missing")
            .with_hint(options.database_exists
                           ? "put back the key that this database was made with: without it its secrets cannot be read"
                           : "give the path of an existing key of 32 bytes"));
  } else {
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return io(directory, "create");
    MCPT_CHECK(make_key(path, directory, master));
    MCPT_CHECK(sync_directory(options.data_dir));
  }
  auto keys = from_master(master);
  crypto::wipe(master.data(), master.size());
  return keys;
}

Result<void> check_key(store::Tx& tx, const Keys& keys) {
  const auto mark = to_hex(keys.mark());
  MCPT_TRY(const auto kept, tx.setting(kKeyMark));
  if (!kept) return tx.set_setting(kKeyMark, mark);
  if (*kept == mark) return {};
  return fail(Error(Status::denied, "the master key is not the one that this database was made with")
                  .with_hint("put back that key: with another one secrets cannot be read, and the audit chain breaks"));
}

}  // namespace mcptoken::control
