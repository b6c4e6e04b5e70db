#include "process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace mcpd {
namespace {

sigset_t end_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);  // of a terminal that goes; there is nothing to read anew
  return set;
}

}  // namespace

void fill_standard_streams() {
  for (int fd = 0; fd < 3; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) < 0) ::_exit(EXIT_FAILURE);
  }
}

void prepare_process(bool debuggable) {
  ::umask(077);
  if (!debuggable) {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  }
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  std::signal(SIGPIPE, SIG_IGN);
  const auto set = end_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

size_t descriptor_limit() {
  rlimit files{};
  return ::getrlimit(RLIMIT_NOFILE, &files) == 0 ? static_cast<size_t>(files.rlim_cur) : 1024;
}

EndEvents::EndEvents() : finished_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  const auto set = end_signals();
  signal_fd_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

EndEvents::~EndEvents() {
  ::close(signal_fd_);
  ::close(finished_fd_);
}

EndEvents::Happened EndEvents::wait() {
  std::array<pollfd, 2> fds{pollfd{signal_fd_, POLLIN, 0}, pollfd{finished_fd_, POLLIN, 0}};
  ::poll(fds.data(), fds.size(), -1);
  Happened happened;
  signalfd_siginfo signal{};
  happened.signalled = ::read(signal_fd_, &signal, sizeof signal) == static_cast<ssize_t>(sizeof signal);
  uint64_t ended = 0;
  if (::read(finished_fd_, &ended, sizeof ended) == static_cast<ssize_t>(sizeof ended)) happened.finished = ended;
  return happened;
}

Outcome<bool> make_folder(const std::string& path) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) {
      return Failure{kExitFailure, "cannot create " + part + ": " + std::strerror(errno)};
    }
    if (end == std::string::npos) return true;
  }
}

}  // namespace mcpd
