#include "loop/orphans.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "loop/fd.h"

namespace mcptoken::loop {
namespace {

constexpr std::string_view kMark = "MCPTOKEN_CHILD=";
constexpr size_t kListBytes = 1024 * 1024, kEnvironmentBytes = 256 * 1024;

struct Children {
  std::mutex mutex;
  bool adopting = false;
  uint64_t last = 0;
  std::unordered_map<pid_t, std::string> marks;  // of those that were started and not collected
  std::vector<const Start*> starting;            // whose numbers are not among them yet
  bool lives(std::string_view mark) const {
    return std::any_of(marks.begin(), marks.end(), [&](const auto& one) { return one.second == mark; }) ||
           std::any_of(starting.begin(), starting.end(), [&](const Start* one) { return one->mark == mark; });
  }
  // A child that has not yet said its number could be any; it says so within moments.
  bool may_start_as(pid_t pid) const {
    return std::any_of(starting.begin(), starting.end(), [&](const Start* one) {
      const pid_t known = one->pid.load();
      return known == 0 || known == pid;
    });
  }
};
Children& children() {
  static Children instance;
  return instance;
}

std::string read_file(const std::string& path, size_t most) {
  std::string text;
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  while (file && text.size() < most) {
    const size_t had = text.size();
    text.resize(had + 4096);
    ssize_t n;
    do
      n = read(file.get(), text.data() + had, 4096);
    while (n < 0 && errno == EINTR);
    text.resize(had + static_cast<size_t>(std::max<ssize_t>(n, 0)));
    if (n <= 0) break;
  }
  return text;
}

// All that this process is the parent of, whichever thread has started it. None on a kernel that does not list them.
std::vector<pid_t> own_children() {
  struct Close {
    void operator()(DIR* dir) const { closedir(dir); }
  };
  std::vector<pid_t> out;
  const std::unique_ptr<DIR, Close> tasks(opendir("/proc/self/task"));
  while (const dirent* task = tasks ? readdir(tasks.get()) : nullptr) {
    if (task->d_name[0] == '.') continue;
    const auto text = read_file(std::string("/proc/self/task/") + task->d_name + "/children", kListBytes);
    pid_t pid = 0;
    for (const char *at = text.data(), *end = at + text.size(); at < end; ++at) {
      const auto read = std::from_chars(at, end, pid);
      if (read.ec == std::errc() && read.ptr < end) out.push_back(pid);  // a cut number is none
      at = std::max(at, read.ptr);
    }
  }
  return out;
}

// The entry of its environment that says where it comes from.
std::string mark_of(pid_t pid) {
  const auto environment = '\0' + read_file("/proc/" + std::to_string(pid) + "/environ", kEnvironmentBytes);
  const auto at = environment.find('\0' + std::string(kMark));
  return at == environment.npos ? std::string() : std::string(environment.c_str() + at + 1);
}

// Descriptors of those that were killed.
std::vector<Fd> kill_orphans() {
  auto& known = children();
  std::vector<Fd> dying;
  const std::lock_guard lock(known.mutex);
  if (!known.adopting) return dying;
  for (const pid_t pid : own_children()) {
    // Ours until it is collected, which happens here alone.
    if (known.marks.contains(pid)) continue;
    const auto mark = mark_of(pid);
    if (mark.empty() ? known.may_start_as(pid) : known.lives(mark)) continue;
    if (waitpid(pid, nullptr, WNOHANG | __WALL) == pid) continue;
    Fd handle(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    if (kill(pid, SIGKILL) == 0) dying.push_back(std::move(handle));
  }
  return dying;
}

}  // namespace

Result<void> adopt_orphans() {
  auto& known = children();
  const std::lock_guard lock(known.mutex);
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
    return fail(Status::not_supported, std::string("orphans cannot be adopted: ") + strerrordesc_np(errno));
  known.adopting = true;
  return {};
}

size_t end_orphans() { return kill_orphans().size(); }

// What an orphan has started is ours before the orphan's own end can be seen.
void end_all_orphans(int64_t most_ms) {
  const int64_t end_ms = system_clock().mono_ms() + most_ms;
  for (;;) {
    const auto dying = kill_orphans();
    if (dying.empty()) return;
    for (const Fd& one : dying) {
      const int64_t left_ms = end_ms - system_clock().mono_ms();
      if (left_ms <= 0) return;
      pollfd wanted{one.get(), POLLIN, 0};
      if (one) poll(&wanted, 1, static_cast<int>(left_ms));
    }
  }
}

pid_t start_known(const std::function<pid_t(Start& start)>& start) {
  auto& known = children();
  Start one;
  {
    const std::lock_guard lock(known.mutex);
    if (known.adopting) one.mark = std::string(kMark) + std::to_string(getpid()) + "." + std::to_string(++known.last);
    known.starting.push_back(&one);
  }
  struct Leave {
    ~Leave() {
      const std::lock_guard lock(known.mutex);
      std::erase(known.starting, &start);
    }
    Children& known;
    const Start& start;
  } leave{known, one};
  const pid_t pid = start(one);
  if (pid > 0) {
    const std::lock_guard lock(known.mutex);
    if (known.adopting) known.marks[pid] = one.mark;
  }
  return pid;
}

int collect_known(pid_t pid, int pidfd, siginfo_t& info) {
  auto& known = children();
  const std::lock_guard lock(known.mutex);
  info = {};
  const int result = waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG);
  if (result != 0 || info.si_pid != 0) known.marks.erase(pid);  // before the number can be another's
  return result;
}

}  // namespace mcptoken::loop
