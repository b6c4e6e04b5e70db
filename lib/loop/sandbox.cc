#include "loop/sandbox.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string_view>

#include "base/limits.h"

namespace mcptoken::loop {
namespace {

// The kernel accepts a longer structure than it knows while the unknown part is zero; headers may be older.
struct RulesetAttr {
  uint64_t handled_fs;
  uint64_t handled_net;
  uint64_t scoped;
};
constexpr uint64_t kTruncate = 1ULL << 14;
constexpr uint64_t kScopeSignals = 1ULL << 1;
constexpr uint64_t kFileRights =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | kTruncate;
constexpr uint64_t kFirstRights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;  // all that interface 1 knows

// Every right the running kernel knows, device ioctls apart: no device lives in a hidden path.
uint64_t known_rights(int abi) {
  uint64_t rights = kFirstRights;
  if (abi >= 2) rights |= LANDLOCK_ACCESS_FS_REFER;
  if (abi >= 3) rights |= kTruncate;
  return rights;
}

std::string text(int error) { return strerrordesc_np(error); }

struct CloseDir {
  void operator()(DIR* dir) const { closedir(dir); }
};

// Where `path` is inside `directory` ("/a" in "/", "/a/b" in "/a"): its first component there; empty when it is not.
std::string_view step_towards(std::string_view directory, std::string_view path) {
  if (directory != "/") {
    if (!path.starts_with(directory)) return {};
    path.remove_prefix(directory.size());
  }
  if (path.size() < 2 || path[0] != '/') return {};
  path.remove_prefix(1);
  return path.substr(0, path.find('/'));
}

class Builder {
 public:
  Builder(int fd, uint64_t rights, const std::vector<std::string>& hidden)
      : fd_(fd), rights_(rights), hidden_(hidden) {}
  size_t count() const { return count_; }

  // Allows everything in `path` but what is hidden or leads there.
  Result<void> walk(const std::string& path) {
    Fd here(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!here) return {};  // gone, or we may not list it: then what is beside the way stays closed
    std::unique_ptr<DIR, CloseDir> dir(fdopendir(dup_of(here)));
    if (!dir) return fail(Status::io, path + ": " + text(errno));
    while (const dirent* entry = readdir(dir.get())) {
      std::string_view name(entry->d_name);
      if (name == "." || name == "..") continue;
      std::string full = (path == "/" ? path : path + "/") + std::string(name);
      switch (role(path, name, full)) {
        case Role::hidden: break;
        case Role::on_the_way: MCPT_CHECK(walk(full)); break;
        case Role::beside: MCPT_CHECK(allow(here.get(), entry->d_name, full)); break;
      }
    }
    return {};
  }

 private:
  enum class Role { beside, on_the_way, hidden };

  static int dup_of(const Fd& fd) { return fcntl(fd.get(), F_DUPFD_CLOEXEC, 3); }

  Role role(std::string_view directory, std::string_view name, std::string_view full) const {
    Role found = Role::beside;
    for (const auto& path : hidden_) {
      if (path == full) return Role::hidden;
      if (step_towards(directory, path) == name) found = Role::on_the_way;
    }
    return found;
  }

  Result<void> allow(int directory, const char* name, const std::string& full) {
    Fd entry(openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat info {};
    if (!entry || fstat(entry.get(), &info) != 0 || S_ISLNK(info.st_mode)) return {};  // gone, or judged at its target
    if (++count_ > limits::kSandboxRules) {
      return fail(Error(Status::limit,
                        "sandbox: too many entries beside the hidden path, in " + full.substr(0, full.rfind('/') + 1))
                      .with_hint("give the hidden data a directory of its own"));
    }
    landlock_path_beneath_attr rule{};
    rule.parent_fd = entry.get();
    rule.allowed_access = S_ISDIR(info.st_mode) ? rights_ : rights_ & kFileRights;
    if (syscall(SYS_landlock_add_rule, fd_, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) {
      return fail(Status::io, "sandbox: " + full + ": " + text(errno));
    }
    return {};
  }

  const int fd_;
  const uint64_t rights_;
  const std::vector<std::string>& hidden_;
  size_t count_ = 0;
};

Result<std::vector<std::string>> resolve(const std::vector<std::string>& paths) {
  if (paths.empty()) return fail(Status::invalid, "sandbox: nothing to hide");
  std::vector<std::string> out;
  for (const auto& path : paths) {
    if (!path.starts_with('/') || path.find('\0') != std::string::npos) {
      return fail(Status::invalid, "sandbox: not an absolute path: '" + path + "'");
    }
    std::error_code error;
    std::string real = std::filesystem::weakly_canonical(path, error).lexically_normal().string();
    if (error) return fail(Status::io, "sandbox: " + path + ": " + error.message());
    while (real.size() > 1 && real.ends_with('/')) real.pop_back();
    if (real == "/") return fail(Status::invalid, "sandbox: '/' cannot be hidden");
    out.push_back(std::move(real));
  }
  return out;
}

}  // namespace

int Sandbox::abi() {
  long version = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return version < 0 ? 0 : static_cast<int>(version);
}

Result<Sandbox> Sandbox::hide(const std::vector<std::string>& paths) {
  MCPT_TRY(auto hidden, resolve(paths));
  const int version = abi();
  if (version == 0) {
    const bool refused = errno == EPERM;  // the kernel's own answers are ENOSYS and EOPNOTSUPP
    return fail(Status::not_supported, refused ? "sandbox: a filter of system calls forbids Landlock here"
                                               : "sandbox: this kernel has no Landlock");
  }
  RulesetAttr attr{known_rights(version), 0, version >= 6 ? kScopeSignals : 0};
  Fd rules(static_cast<int>(syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0)));
  if (!rules || !rules.lift()) return fail(Status::io, "sandbox: " + text(errno));
  Builder builder(rules.get(), attr.handled_fs, hidden);
  MCPT_CHECK(builder.walk("/"));
  return Sandbox(std::move(rules), builder.count());
}

int Sandbox::enter(int fd) noexcept { return syscall(SYS_landlock_restrict_self, fd, 0) == 0 ? 0 : errno; }

}  // namespace mcptoken::loop
