#include "loop/orphans.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "base/clock.h"
#include "loop/child_exec.h"
#include "temp_dir.h"

using namespace mcptoken;
using namespace mcptoken::loop;

namespace {

// Adopting is for the life of a process: each case has one of its own. What went wrong, "" for nothing.
template <class Work>
std::string apart(Work work) {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const pid_t pid = fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    std::string wrong = adopt_orphans() ? work() : "cannot adopt";
    if (write(ends[1], wrong.data(), wrong.size()) < 0) _exit(2);
    _exit(0);
  }
  close(ends[1]);
  std::string told(4096, '\0');
  size_t size = 0;
  for (ssize_t n = 1; n > 0 && size < told.size(); size += static_cast<size_t>(n)) {
    n = read(ends[0], told.data() + size, told.size() - size);
    REQUIRE(n >= 0);
  }
  close(ends[0]);
  int status = -1;
  CHECK(waitpid(pid, &status, 0) == pid);
  CHECK(status == 0);
  return told.substr(0, size);
}

ChildSpec spec_of(std::vector<std::string> argv) {
  ChildSpec spec;
  spec.argv = std::move(argv);
  spec.env = {"PATH=/usr/bin:/bin"};
  return spec;
}

// How many processes have this as an argument.
size_t count_of(const std::string& argument) {
  size_t found = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "cmdline", std::ios::binary);
    const std::string line((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    found += ('\0' + line).find('\0' + argument + '\0') != std::string::npos;
  }
  return found;
}

template <class Condition>
bool until(Condition condition) {
  for (int i = 0; i < 60'000; ++i) {
    if (condition()) return true;  // which it may not be for long: who counts processes meets those that change
    usleep(1000);
  }
  return false;
}

}  // namespace

TEST_CASE("a program that is long on its way to its exec holds up nobody, and is nobody's orphan") {
  TempDir dir;
  const std::string slow = dir.file("slow", "#!/bin/sh\nexec sleep 1000\n", true);
  const auto wrong = apart([&]() -> std::string {
    // Who opens the file waits until the lease is given back, or for as long as /proc/sys/fs/lease-break-time says.
    signal(SIGIO, SIG_IGN);
    const int lease = open(slow.c_str(), O_RDONLY | O_CLOEXEC);
    if (fcntl(lease, F_SETLEASE, F_WRLCK) != 0) return "no lease";
    Result<Process> late = fail(Status::internal, "not started");
    int others[2];  // as of another start that is under way
    if (pipe2(others, O_CLOEXEC) != 0) return "no pipe";
    std::thread starter([&] { late = spawn(spec_of({slow}), -1); });
    std::string out;
    if (!until([&] { return fcntl(lease, F_GETLEASE) != F_WRLCK; })) out += "no exec; ";
    const int64_t began_ms = system_clock().mono_ms();
    close(others[1]);
    pollfd end{others[0], POLLIN, 0};
    if (poll(&end, 1, 5'000) != 1) out += "it has what is others'; ";
    if (end_orphans() != 0) out += "taken for an orphan; ";
    auto other = spawn(spec_of({"sleep", "1000"}), -1);
    if (!other) out += other.error().message + "; ";
    else put_down(*std::move(other));
    if (system_clock().mono_ms() - began_ms > 20'000) out += "held up; ";
    fcntl(lease, F_SETLEASE, F_UNLCK);
    starter.join();
    if (!late) return out + late.error().message;
    if (end_orphans() != 0) out += "an orphan afterwards; ";
    if (kill(late->pid, 0) != 0) out += "gone; ";
    put_down(*std::move(late));
    return out;
  });
  CHECK(wrong == "");
}

TEST_CASE("what orphans have started ends with them, however long the chain") {
  const auto wrong = apart([]() -> std::string {
    const std::string seconds = std::to_string(3'000'000 + getpid());
    // Each in a session of its own, the child of the one before.
    const std::string script = R"(if [ "$1" -gt 0 ]; then setsid sh -c "$0" "$0" $(($1 - 1)) )" + seconds + R"( & fi; exec sleep $2)";
    auto first = spawn(spec_of({"sh", "-c", script, script, "30", seconds}), -1);
    if (!first) return first.error().message;
    std::string out;
    if (!until([&] { return count_of(seconds) == 31; })) out += std::to_string(count_of(seconds)) + " have started; ";
    if (end_orphans() != 0) out += "ended while their child lives; ";
    put_down(*std::move(first));
    end_all_orphans(30'000);
    if (const auto left = count_of(seconds); left != 0) out += std::to_string(left) + " are left; ";
    return out;
  });
  CHECK(wrong == "");
}
