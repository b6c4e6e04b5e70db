#include "loop/child.h"

#include <signal.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "loop/orphans.h"
#include "loop/sandbox.h"
#include "loop/starter.h"

namespace mcptoken::loop {
namespace {

constexpr size_t kReadBytes = 64 * 1024;          // the size of a pipe: one read takes it whole
constexpr size_t kDrainBytes = 2 * 1024 * 1024;   // after the end; an escaped grandchild may go on writing for ever
constexpr size_t kWriteLines = 64;

// A pipe has no MSG_NOSIGNAL, and the disposition of SIGPIPE belongs to the host: block it here and take back our own.
ssize_t write_quietly(int fd, const iovec* parts, int count) {
  sigset_t broken, before, pending;
  sigemptyset(&broken);
  sigaddset(&broken, SIGPIPE);
  sigpending(&pending);
  const bool was_pending = sigismember(&pending, SIGPIPE) == 1;
  pthread_sigmask(SIG_BLOCK, &broken, &before);
  ssize_t n;
  do n = writev(fd, parts, count);
  while (n < 0 && errno == EINTR);
  const int error = errno;
  if (n < 0 && error == EPIPE && !was_pending) {
    const timespec now{};
    while (sigtimedwait(&broken, nullptr, &now) < 0 && errno == EINTR) {
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return n;
}

// No descriptor: no sandbox, and `missing` says why when there should be one.
Result<Fd> make_sandbox(const ChildSpec& spec, std::string& missing) {
  if (spec.hidden_paths.empty()) {
    if (spec.require_sandbox) return fail(Status::invalid, "a sandbox is required but nothing is to be hidden");
    return Fd();
  }
  auto sandbox = Sandbox::hide(spec.hidden_paths);
  if (sandbox) return std::move(*sandbox).take();
  if (spec.require_sandbox || sandbox.error().status != Status::not_supported) return fail(std::move(sandbox).error());
  missing = sandbox.error().message;
  return Fd();
}

// What the loop and its starter share of one start: first the one has it, then the other.
struct Starting {
  explicit Starting(ChildSpec spec_in) : spec(std::move(spec_in)) {}
  ~Starting() {
    wipe();
    if (process && *process) put_down(*std::move(*process));  // nobody has come for it
  }
  Starting(const Starting&) = delete;
  Starting& operator=(const Starting&) = delete;

  void run() {
    auto sandbox = make_sandbox(spec, no_sandbox);
    if (sandbox) process.emplace(spawn(spec, sandbox->get()));
    else process.emplace(fail(std::move(sandbox).error()));
    wipe();
  }
  void wipe() {  // declared secrets travel in the environment
    for (auto& one : spec.env) explicit_bzero(one.data(), one.size());
  }

  ChildSpec spec;
  std::string no_sandbox;
  std::optional<Result<Process>> process;
  std::atomic<bool> wanted{true};
  Completion<void> done;  // the loop's
};

// Tells the starter that what it makes is to be put down at once, also when the frame that waits is destroyed.
struct Wanting {
  explicit Wanting(std::shared_ptr<Starting> starting_in) : starting(std::move(starting_in)) {}
  ~Wanting() { starting->wanted = false; }
  Wanting(const Wanting&) = delete;
  Wanting& operator=(const Wanting&) = delete;
  const std::shared_ptr<Starting> starting;
};

}  // namespace

std::string ChildExit::text() const {
  std::string out = "ended, status unknown";
  if (signal != 0) {
    const char* name = sigdescr_np(signal);
    out = "killed by signal " + std::to_string(signal) + (name ? std::string(" (") + name + ")" : "");
  } else if (code >= 0) {
    out = "exit code " + std::to_string(code);
  }
  return reason.empty() ? out : out + ", " + reason;
}

// Around everything that calls back: says afterwards whether the Child still exists.
class Child::Visit {
 public:
  explicit Visit(Child& child) : child_(&child), outer_(child.visit_) { child.visit_ = this; }
  ~Visit() { if (child_) child_->visit_ = outer_; }
  bool gone() const { return child_ == nullptr; }
  void lose() {
    child_ = nullptr;
    if (outer_) outer_->lose();
  }

 private:
  Child* child_;
  Visit* outer_;
};

Child::Child(Loop& loop, Process process, const ChildSpec& spec, ChildCallbacks callbacks)
    : loop_(loop),
      process_(std::move(process)),
      callbacks_(std::move(callbacks)),
      term_after_ms_(spec.term_after_ms),
      kill_after_ms_(spec.kill_after_ms),
      stop_timer_(loop),
      exit_watch_(loop),
      in_watch_(loop),
      out_watch_(loop),
      err_watch_(loop) {}

Task<Result<std::unique_ptr<Child>>> Child::start(Loop& loop, ChildSpec spec, ChildCallbacks callbacks, Log log, Scope& scope) {
  const std::string program = spec.argv.empty() ? std::string() : spec.argv[0];
  Wanting wanting(std::make_shared<Starting>(std::move(spec)));
  Starting& starting = *wanting.starting;
  const bool accepted = starter_of(loop).submit([&loop, shared = wanting.starting] {
    if (shared->wanted) shared->run();
    if (shared->wanted) loop.post([shared] { shared->done.resolve({}); });
  });
  if (!accepted) co_return fail(Status::busy, "cannot start '" + program + "': too many programs are being started");
  Scope within(scope);
  Deadline deadline(loop, within, limits::kExecMs, Error(Status::timeout, "cannot start '" + program + "': no exec in time"));
  MCPT_CO_CHECK(co_await starting.done.wait(within));
  if (!starting.no_sandbox.empty()) {
    log.warn("'" + program + "' starts without a " + starting.no_sandbox + "; it can read the gateway's data");
  }
  auto process = *std::exchange(starting.process, std::nullopt);
  if (!process) co_return fail(std::move(process).error());
  std::unique_ptr<Child> child(new Child(loop, *std::move(process), starting.spec, std::move(callbacks)));
  MCPT_CO_CHECK(child->watch_all());
  co_return child;
}

Result<void> Child::watch_all() {
  MCPT_CHECK(exit_watch_.start(process_.pidfd.get(), kReadable, [this](int) { on_pidfd(); }));
  MCPT_CHECK(out_watch_.start(process_.out.get(), kReadable, [this](int) { on_stdout(); }));
  MCPT_CHECK(err_watch_.start(process_.err.get(), kReadable, [this](int) { on_stderr(); }));
  MCPT_CHECK(in_watch_.start(process_.in.get(), kWritable, [this](int) { flush(); }));
  in_watch_.change(0);
  return {};
}

Child::~Child() {
  if (visit_) visit_->lose();
  loop_.retire(std::move(callbacks_.on_line));
  loop_.retire(std::move(callbacks_.on_log));
  loop_.retire(std::move(callbacks_.on_exit));
  for (Watch* watch : {&exit_watch_, &in_watch_, &out_watch_, &err_watch_}) watch->stop();
  if (!exit_) put_down(std::move(process_));
}

// --- stdin

Result<void> Child::write(std::string line) {
  if (line.find('\n') != std::string::npos) return fail(Status::invalid, "a message for a child contains a newline");
  if (exit_ || stopping_) return fail(Status::unavailable, "the child was stopped");
  if (!process_.in) return fail(Status::unavailable, "the child has closed its stdin");
  line.push_back('\n');
  if (line.size() > limits::kStdioQueueBytes) return fail(Status::too_large, "a message for a child is too long");
  if (queued_bytes_ + line.size() > limits::kStdioQueueBytes) {
    return fail(Status::limit,
                "the child does not read its stdin: " + std::to_string(queued_bytes_) + " bytes are waiting");
  }
  queued_bytes_ += line.size();
  queue_.push_back(std::move(line));
  if (queue_.size() == 1) flush();
  if (!process_.in) return fail(Status::unavailable, "the child has closed its stdin");
  return {};
}

void Child::flush() {
  while (!queue_.empty()) {
    std::array<iovec, kWriteLines> parts;
    int count = 0;
    for (auto line = queue_.begin(); line != queue_.end() && count < static_cast<int>(parts.size()); ++line, ++count) {
      size_t skip = count == 0 ? written_ : 0;
      parts[static_cast<size_t>(count)] = {line->data() + skip, line->size() - skip};
    }
    ssize_t n = write_quietly(process_.in.get(), parts.data(), count);
    if (n < 0 && errno != EAGAIN) return close_stdin();
    if (n < 0) return wait_writable(true);
    written_ += static_cast<size_t>(n);
    queued_bytes_ -= static_cast<size_t>(n);
    while (!queue_.empty() && written_ >= queue_.front().size()) {
      written_ -= queue_.front().size();
      queue_.pop_front();
    }
  }
  wait_writable(false);
  if (stopping_) close_stdin();
}

void Child::wait_writable(bool wanted) {
  if (wanted == writable_wanted_) return;  // each change costs a system call
  writable_wanted_ = wanted;
  in_watch_.change(wanted ? kWritable : 0);
}

void Child::close_stdin() {
  in_watch_.stop();
  process_.in.reset();
  queue_.clear();
  queued_bytes_ = written_ = 0;
}

// --- stdout and stderr

// Bytes read; 0: nothing there now; -1: the end.
ssize_t Child::fill(const Fd& fd, LineReader& reader) {
  std::array<char, kReadBytes> bytes;
  ssize_t n;
  do n = read(fd.get(), bytes.data(), bytes.size());
  while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN) return 0;
  if (n <= 0) return -1;
  reader.feed(std::string_view(bytes.data(), static_cast<size_t>(n)));
  return n;
}

bool Child::deliver_lines(bool at_end) {
  Visit visit(*this);
  while (auto line = at_end ? lines_.rest() : lines_.next()) {
    if (callbacks_.on_line) callbacks_.on_line(*std::move(line));
    if (visit.gone()) return false;
  }
  if (lines_.overflowed()) kill("a line on stdout exceeds " + std::to_string(limits::kStdioLineBytes) + " bytes");
  return true;
}

bool Child::deliver_log(bool at_end) {
  Visit visit(*this);
  while (auto line = at_end ? log_lines_.rest() : log_lines_.next()) {
    if (callbacks_.on_log) callbacks_.on_log(*line);
    if (visit.gone()) return false;
  }
  return true;
}

void Child::on_stdout() {
  ssize_t n = fill(process_.out, lines_);
  if (!deliver_lines(n < 0) || n >= 0) return;
  out_watch_.stop();
  process_.out.reset();
  stop();  // without a stdout it can answer nobody
}

void Child::on_stderr() {
  ssize_t n = fill(process_.err, log_lines_);
  if (!deliver_log(n < 0) || n >= 0) return;
  err_watch_.stop();
  process_.err.reset();
}

// --- the end

void Child::stop() {
  if (stopping_ || exit_) return;
  stopping_ = true;
  if (queue_.empty()) close_stdin();
  stop_timer_.start(term_after_ms_, [this] {
    signal_group(SIGTERM, "stopped");
    stop_timer_.start(kill_after_ms_, [this] { kill("stopped, did not end by itself"); });
  });
}

void Child::kill(std::string reason) {
  stopping_ = true;
  stop_timer_.stop();
  signal_group(SIGKILL, std::move(reason));
}

void Child::signal_group(int number, std::string reason) {
  if (exit_) return;
  reason_ = std::move(reason);
  ::kill(-process_.pid, number);  // the number is ours until collect()
}

// Ends the rest of the group while the ended leader still holds its number, then frees it.
bool Child::collect() {
  const auto id = static_cast<id_t>(process_.pidfd.get());
  siginfo_t info{};
  if (waitid(P_PIDFD, id, &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
    if (info.si_pid == 0) return false;
    ::kill(-process_.pid, SIGKILL);
    collect_known(process_.pid, process_.pidfd.get(), info);
  }
  exit_.emplace();
  if (info.si_code == CLD_EXITED) exit_->code = info.si_status;
  else if (info.si_pid != 0) exit_->signal = info.si_status;
  exit_->reason = std::move(reason_);
  return true;
}

bool Child::drain(const Fd& fd, LineReader& reader, bool (Child::*deliver)(bool)) {
  if (!fd) return true;
  size_t total = 0;
  ssize_t n = 1;
  while (n > 0 && total < kDrainBytes) {
    n = fill(fd, reader);
    if (n > 0) total += static_cast<size_t>(n);
    if (!(this->*deliver)(n <= 0 || total >= kDrainBytes)) return false;
  }
  return true;
}

void Child::on_pidfd() {
  if (!collect()) return;
  stop_timer_.stop();
  close_stdin();
  for (Watch* watch : {&exit_watch_, &out_watch_, &err_watch_}) watch->stop();
  Visit visit(*this);
  if (!drain(process_.err, log_lines_, &Child::deliver_log)) return;
  if (!drain(process_.out, lines_, &Child::deliver_lines)) return;
  for (Fd* fd : {&process_.pidfd, &process_.out, &process_.err}) fd->reset();
  if (callbacks_.on_exit) callbacks_.on_exit(*exit_);
  if (visit.gone()) return;
  done_.resolve(*exit_);
}

}  // namespace mcptoken::loop
