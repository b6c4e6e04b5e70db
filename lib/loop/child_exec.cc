#include "loop/child_exec.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <mutex>
#include <string_view>

#include "base/bytes.h"
#include "loop/orphans.h"
#include "loop/sandbox.h"

namespace mcptoken::loop {
namespace {

std::string text(int error) { return strerrordesc_np(error); }

// Sanitizers keep records of what a process does, which the child would write into its parent's.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kLend = 0;
#else
constexpr int kLend = CLONE_VM | CLONE_VFORK;
#endif
constexpr size_t kChildStackBytes = 64 * 1024;

// --- the child's side, until the exec in its parent's memory: async-signal-safe calls only

enum class Step : int { group, death_signal, pipes, descriptors, directory, limits, privileges, sandbox, exec };
constexpr std::array kStepNames = {"process group", "parent-death signal", "pipes", "closing descriptors",
                                   "working directory", "limits", "no-new-privs", "sandbox", "exec"};

struct Failure {  // what the child reports through the error pipe; smaller than PIPE_BUF, so it comes whole
  Step step;
  int error;
};

struct Limit {
  __rlimit_resource resource;
  rlim_t value;
};

struct Plan {
  const char* program;
  std::vector<char*> argv, env;
  const char* directory;
  std::vector<Limit> limits;
  int ruleset_fd;
  int in, out, err, errors;  // the child's ends, all above 2
  pid_t parent;
  Start* start = nullptr;
};

[[noreturn]] void give_up(const Plan& plan, Step step, int error) noexcept {
  Failure failure{step, error};
  [[maybe_unused]] auto n = write(plan.errors, &failure, sizeof failure);
  _exit(127);
}

void reset_signals() noexcept {
  struct sigaction fresh {};
  fresh.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) sigaction(signal, &fresh, nullptr);  // KILL and STOP refuse, harmlessly
}

// All above 2 but these two; -1 is none. Closed rather than marked: an exec may take long, and another program that is being
// started waits for the ends of its own pipes, of which this child has copies.
bool close_all_but(int one, int other) noexcept {
  const auto close_from = [](int first, int last) {
    return first > last || syscall(SYS_close_range, static_cast<unsigned>(first), static_cast<unsigned>(last), 0) == 0;
  };
  const int low = std::min(one, other), high = std::max(one, other);
  return close_from(3, low - 1) && close_from(std::max(low + 1, 3), high - 1) && close_from(high + 1, INT_MAX);
}

bool apply(const Limit& limit) noexcept {
  rlimit now{};
  if (getrlimit(limit.resource, &now) != 0) return false;
  rlimit wanted{std::min(limit.value, now.rlim_max), std::min(limit.value, now.rlim_max)};
  return setrlimit(limit.resource, &wanted) == 0;
}

[[noreturn]] void become(const Plan& plan) noexcept {
  plan.start->pid = getpid();
  auto check = [&plan](bool ok, Step step) { if (!ok) give_up(plan, step, errno); };
  reset_signals();
  check(setpgid(0, 0) == 0, Step::group);
  check(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0, Step::death_signal);
  if (getppid() != plan.parent) _exit(127);  // it died before the line above
  check(dup2(plan.in, 0) == 0 && dup2(plan.out, 1) == 1 && dup2(plan.err, 2) == 2, Step::pipes);
  check(close_all_but(plan.errors, plan.ruleset_fd), Step::descriptors);  // which the exec closes
  umask(077);
  check(chdir(plan.directory) == 0, Step::directory);
  for (const Limit& limit : plan.limits) check(apply(limit), Step::limits);
  check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, Step::privileges);
  if (plan.ruleset_fd >= 0) {
    int error = Sandbox::enter(plan.ruleset_fd);
    if (error != 0) give_up(plan, Step::sandbox, error);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execve(plan.program, plan.argv.data(), plan.env.data());
  give_up(plan, Step::exec, errno);
}

// --- the parent's side

Result<void> check_spec(const ChildSpec& spec) {
  if (spec.argv.empty() || spec.argv[0].empty()) return fail(Status::invalid, "no program to start");
  auto has_nul = [](const std::string& s) { return s.find('\0') != std::string::npos; };
  if (std::any_of(spec.argv.begin(), spec.argv.end(), has_nul) || has_nul(spec.working_dir)) {
    return fail(Status::invalid, "an argument or the working directory contains a NUL");
  }
  for (const auto& entry : spec.env) {
    size_t equals = entry.find('=');
    if (equals == 0 || equals == std::string::npos)
      return fail(Status::invalid, "an environment entry is not NAME=value");
    if (has_nul(entry))
      return fail(Status::invalid, "environment entry " + entry.substr(0, equals) + " contains a NUL");
  }
  if (spec.working_dir.empty()) return fail(Status::invalid, "the working directory is empty");
  return {};
}

struct Pipe {
  Fd read, write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail(Status::io, "pipe: " + text(errno));
  Pipe pipe{Fd(ends[0]), Fd(ends[1])};
  if (!pipe.read.lift() || !pipe.write.lift()) return fail(Status::io, "pipe: " + text(errno));
  return pipe;
}

void set_nonblocking(const Fd& fd) { fcntl(fd.get(), F_SETFL, fcntl(fd.get(), F_GETFL) | O_NONBLOCK); }

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (const auto& s : strings) out.push_back(const_cast<char*>(s.c_str()));  // execve does not write to them
  out.push_back(nullptr);
  return out;
}

std::vector<Limit> limit_table(const ChildLimits& limits) {
  std::vector<Limit> out = {{RLIMIT_CORE, 0}, {RLIMIT_NOFILE, limits.open_files}};
  if (limits.address_space_bytes) out.push_back({RLIMIT_AS, *limits.address_space_bytes});
  if (limits.processes) out.push_back({RLIMIT_NPROC, *limits.processes});
  if (limits.cpu_seconds) out.push_back({RLIMIT_CPU, *limits.cpu_seconds});
  return out;
}

int child_main(void* plan) noexcept { become(*static_cast<const Plan*>(plan)); }

// Like vfork(), with a pidfd from the first moment (a host that waits for any child could otherwise free the number
// first) and a stack of the child's own. All signals are blocked across it: a handler of the host must not run in the child.
pid_t clone_with_pidfd(Plan& plan, Fd& pidfd) {
  alignas(16) std::array<std::byte, kChildStackBytes> stack;  // not touched, but for what the child needs of it
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int fd = -1;
  const pid_t pid = clone(child_main, stack.data() + stack.size(), kLend | CLONE_PIDFD | SIGCHLD, &plan, &fd);
  int error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid > 0) {
    pidfd.reset(fd);
    pidfd.lift();
  }
  errno = error;
  return pid;
}

bool wait_readable(int fd, int64_t timeout_ms) {
  pollfd wanted{fd, POLLIN, 0};
  int ready;
  do ready = poll(&wanted, 1, static_cast<int>(timeout_ms));
  while (ready < 0 && errno == EINTR);
  return ready > 0;
}

// The error pipe ends without a word when the exec has closed it.
Result<void> await_exec(const Fd& errors, const ChildSpec& spec, const std::string& program) {
  if (!wait_readable(errors.get(), limits::kExecMs))
    return fail(Status::timeout, "cannot start '" + program + "': no exec in time");
  Failure failure{};
  ssize_t n;
  do n = read(errors.get(), &failure, sizeof failure);
  while (n < 0 && errno == EINTR);
  if (n == 0) return {};
  if (n != sizeof failure) return fail(Status::io, "cannot start '" + program + "': " + text(n < 0 ? errno : EIO));
  std::string reason = text(failure.error);
  if (failure.step == Step::directory) reason = "working directory '" + spec.working_dir + "': " + reason;
  else if (failure.step != Step::exec)
    reason = std::string(kStepNames[static_cast<size_t>(failure.step)]) + ": " + reason;
  else if (failure.error == ENOENT) reason += " (the file, or the interpreter in its first line)";
  else if (failure.error == ENOEXEC) reason += " (a script needs #! in its first line)";
  bool missing = failure.error == ENOENT || failure.error == ENOTDIR;
  return fail(missing ? Status::not_found : failure.error == EACCES ? Status::denied : Status::io,
              "cannot start '" + program + "': " + reason);
}

struct Dying {
  pid_t pid = -1;
  Fd pidfd;
};

bool collected(const Dying& one) {
  siginfo_t info{};
  if (collect_known(one.pid, one.pidfd.get(), info) != 0) return errno == ECHILD;
  return info.si_pid != 0;
}

// Killed processes that took longer to go than a destructor may wait.
struct Graveyard {
  std::mutex mutex;
  std::vector<Dying> waiting;
  void visit(Dying newcomer = Dying()) {
    std::lock_guard lock(mutex);
    if (newcomer.pidfd) waiting.push_back(std::move(newcomer));
    std::erase_if(waiting, collected);
  }
};
Graveyard& graveyard() {
  static Graveyard instance;
  return instance;
}

}  // namespace

Result<std::string> find_program(const std::string& name, const std::vector<std::string>& env) {
  if (name.find('/') != std::string::npos) return name;
  auto path = std::find_if(env.begin(), env.end(), [](const std::string& entry) { return entry.starts_with("PATH="); });
  if (path == env.end())
    return fail(Status::not_found, "program '" + name + "': no '/' in the name and no PATH to search");
  const std::string_view directories = std::string_view(*path).substr(5);
  bool unusable = false;
  for (std::string_view directory : split(directories, ':')) {
    if (!directory.starts_with('/')) continue;  // the current directory has no say in what is started
    std::string candidate = std::string(directory) + "/" + name;
    struct stat info {};
    if (stat(candidate.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    if (faccessat(AT_FDCWD, candidate.c_str(), X_OK, AT_EACCESS) == 0) return candidate;
    unusable = true;
  }
  if (unusable)
    return fail(Status::denied, "program '" + name + "' in " + std::string(directories) + " is not executable");
  return fail(Status::not_found, "program '" + name + "' not found in " + std::string(directories));
}

Result<Process> spawn(const ChildSpec& spec, int ruleset_fd) {
  graveyard().visit();
  MCPT_CHECK(check_spec(spec));
  MCPT_TRY(std::string program, find_program(spec.argv[0], spec.env));
  MCPT_TRY(Pipe in, make_pipe());
  MCPT_TRY(Pipe out, make_pipe());
  MCPT_TRY(Pipe err, make_pipe());
  MCPT_TRY(Pipe errors, make_pipe());
  Plan plan{
      program.c_str(), pointers(spec.argv), pointers(spec.env), spec.working_dir.c_str(), limit_table(spec.limits),
      ruleset_fd,      in.read.get(),       out.write.get(),    err.write.get(),          errors.write.get(),
      getpid()};
  Process process;
  int error = 0;
  process.pid = start_known([&](Start& start) {
    plan.start = &start;
    if (!start.mark.empty()) plan.env.insert(plan.env.begin(), start.mark.data());
    const pid_t pid = clone_with_pidfd(plan, process.pidfd);
    error = errno;
    return pid;
  });
  if (process.pid < 0) return fail(Status::io, "cannot start '" + program + "': clone: " + text(error));
  errors.write.reset();
  process.in = std::move(in.write);
  process.out = std::move(out.read);
  process.err = std::move(err.read);
  if (auto running = await_exec(errors.read, spec, program); !running) {
    put_down(std::move(process));
    return fail(std::move(running).error());
  }
  for (const Fd* fd : {&process.in, &process.out, &process.err}) set_nonblocking(*fd);
  return process;
}

void put_down(Process process) {
  // The number is ours until the process is collected, also when it has ended already. A child that has not come as far
  // as its own group is reached by its number alone.
  if (kill(-process.pid, SIGKILL) != 0) kill(process.pid, SIGKILL);
  wait_readable(process.pidfd.get(), limits::kReapMs);
  graveyard().visit({process.pid, std::move(process.pidfd)});
}

}  // namespace mcptoken::loop
