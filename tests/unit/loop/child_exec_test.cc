#include "loop/child_exec.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <thread>

#include "child_run.h"
#include "temp_dir.h"

using namespace mcptoken;
using namespace mcptoken::loop;

namespace {

std::vector<std::string> output_of(ChildSpec spec) {
  ChildRun run;
  auto started = run.start(std::move(spec));
  if (!started) FAIL(started.error().message);
  run.child->stop();
  run.until_exit();
  CHECK(run.exit->code == 0);
  return run.lines;
}

Error failure_of(ChildSpec spec) {
  auto process = spawn(spec, -1);
  REQUIRE_FALSE(process);
  return process.error();
}

}  // namespace

TEST_CASE("a program that cannot start says why") {
  TempDir dir;
  ChildSpec spec = ChildRun::sh("true");

  SUBCASE("not in the PATH") {
    spec.argv[0] = "no-such-program-here";
    Error error = failure_of(spec);
    CHECK(error.status == Status::not_found);
    CHECK(error.message == "program 'no-such-program-here' not found in /usr/bin:/bin");
  }
  SUBCASE("no PATH") {
    spec.env.clear();
    CHECK(failure_of(spec).message.find("no PATH") != std::string::npos);
  }
  SUBCASE("an absolute path that is not there") {
    spec.argv[0] = dir.path() + "/missing";
    Error error = failure_of(spec);
    CHECK(error.status == Status::not_found);
    CHECK(error.message.find(dir.path() + "/missing': No such file") != std::string::npos);
  }
  SUBCASE("an interpreter that is not there") {
    spec.argv = {dir.file("script", "#!/no/such/interpreter\n", true)};
    CHECK(failure_of(spec).message.find("interpreter") != std::string::npos);
  }
  SUBCASE("a text without #! is not handed to a shell") {
    spec.argv = {dir.file("text", "echo hello\n", true)};
    CHECK(failure_of(spec).message.find("#!") != std::string::npos);
  }
  SUBCASE("not executable") {
    spec.argv = {dir.file("plain", "data")};
    CHECK(failure_of(spec).status == Status::denied);
    spec.argv = {"plain"};
    spec.env = {"PATH=" + dir.path()};
    CHECK(failure_of(spec).status == Status::denied);
  }
  SUBCASE("no working directory") {
    spec.working_dir = dir.path() + "/missing";
    CHECK(failure_of(spec).message.find("working directory '" + spec.working_dir + "'") != std::string::npos);
  }
  SUBCASE("nothing, NULs, and things that are no environment") {
    ChildSpec empty;
    CHECK(failure_of(empty).status == Status::invalid);
    spec.argv[2] = std::string("a\0b", 3);
    CHECK(failure_of(spec).status == Status::invalid);
    spec = ChildRun::sh("true");
    spec.env.push_back("NOVALUE");
    CHECK(failure_of(spec).status == Status::invalid);
    spec.env.back() = "=x";
    CHECK(failure_of(spec).status == Status::invalid);
  }
}

TEST_CASE("the PATH of the child decides, its relative entries do not count") {
  TempDir dir;
  dir.file("a/tool", "#!/bin/sh\n", true);
  dir.file("b/tool", "#!/bin/sh\n", true);
  CHECK(find_program("tool", {"X=1", "PATH=" + dir.path() + "/b:" + dir.path() + "/a"}).value() ==
        dir.path() + "/b/tool");
  CHECK(find_program("./tool", {}).value() == "./tool");
  REQUIRE(chdir(dir.path().c_str()) == 0);
  CHECK_FALSE(find_program("tool", {"PATH=a::."}));
  REQUIRE(chdir("/") == 0);
}

TEST_CASE("the environment is exactly the given one") {
  ChildSpec spec;
  spec.argv = {"/usr/bin/env"};
  spec.env = {"ONE=1", "EMPTY=", "TEXT=a b=c"};
  CHECK(output_of(spec) == spec.env);
  spec.env.clear();
  CHECK(output_of(spec).empty());
}

TEST_CASE("arguments stay literal") {
  ChildSpec spec;
  spec.argv = {"/usr/bin/printf", "%s\\n", "$(id); `x` | > & *", "", "-n"};
  CHECK(output_of(spec) == std::vector<std::string>{spec.argv[2], "", "-n"});
}

TEST_CASE("working directory, umask, limits and privileges") {
  TempDir dir;
  ChildSpec spec = ChildRun::sh("pwd; umask; ulimit -c; ulimit -n; ulimit -t; grep NoNewPrivs /proc/self/status");
  spec.working_dir = dir.path();
  spec.limits.open_files = 50;
  spec.limits.cpu_seconds = 33;
  CHECK(output_of(spec) == std::vector<std::string>{dir.path(), "0077", "0", "50", "33", "NoNewPrivs:\t1"});
}

TEST_CASE("no descriptor but 0, 1, 2 reaches the child") {
  // Neither one with nor one without close-on-exec, high numbers included.
  int plain = open("/dev/null", O_RDONLY);
  int high = fcntl(plain, F_DUPFD, 900);
  REQUIRE(high >= 900);
  ChildSpec spec;
  spec.argv = {"/bin/ls", "/proc/self/fd"};
  CHECK(output_of(spec) == std::vector<std::string>{"0", "1", "2", "3"});  // 3 is the directory that ls reads
  close(plain);
  close(high);
}

TEST_CASE("signals are at their defaults and none is blocked") {
  sigset_t block, before;
  sigemptyset(&block);
  sigaddset(&block, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &block, &before);
  auto old = signal(SIGUSR2, SIG_IGN);
  auto lines = output_of(ChildRun::sh("grep -E 'Sig(Blk|Ign)' /proc/self/status"));
  signal(SIGUSR2, old);
  sigset_t now;
  pthread_sigmask(SIG_SETMASK, &before, &now);
  CHECK(sigismember(&now, SIGUSR1) == 1);  // the host's mask came back
  CHECK(sigismember(&now, SIGTERM) == 0);
  CHECK(lines == std::vector<std::string>{"SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000"});
}

TEST_CASE("a host that has closed its own stdin gets a working child") {
  int saved = fcntl(0, F_DUPFD_CLOEXEC, 10);
  close(0);
  auto process = spawn(ChildRun::sh("read line; echo got $line"), -1);
  if (saved >= 0) {
    dup2(saved, 0);
    close(saved);
  }
  REQUIRE(process);
  for (const Fd* fd : {&process->pidfd, &process->in, &process->out, &process->err}) CHECK(fd->get() > 2);
  REQUIRE(write(process->in.get(), "fine\n", 5) == 5);
  pollfd wanted{process->out.get(), POLLIN, 0};
  REQUIRE(poll(&wanted, 1, 20'000) == 1);
  char text[32] = {};
  CHECK(read(process->out.get(), text, sizeof text - 1) == 9);
  CHECK(std::string_view(text) == "got fine\n");
  put_down(*std::move(process));
}

TEST_CASE("children end with the process that started them") {
  int report[2];
  REQUIRE(pipe(report) == 0);
  pid_t parent = fork();
  REQUIRE(parent >= 0);
  if (parent == 0) {
    ChildSpec spec = ChildRun::sh("exec sleep 100");
    auto process = spawn(spec, -1);
    pid_t pid = process ? process->pid : -1;
    [[maybe_unused]] auto n = write(report[1], &pid, sizeof pid);
    _exit(0);  // no destructor puts it down
  }
  pid_t child = -1;
  REQUIRE(read(report[0], &child, sizeof child) == sizeof child);
  REQUIRE(child > 0);
  waitpid(parent, nullptr, 0);
  close(report[0]);
  close(report[1]);
  CHECK(ends_within(child, 20'000));
}

TEST_CASE("children end with the thread that started them") {
  Process process;
  std::thread([&] { process = spawn(ChildRun::sh("exec sleep 100"), -1).value(); }).join();
  pollfd wanted{process.pidfd.get(), POLLIN, 0};
  CHECK(poll(&wanted, 1, 20'000) == 1);
  put_down(std::move(process));
}

TEST_CASE("put down: the group ends and nothing is left to collect") {
  Process process = spawn(ChildRun::sh("sleep 100 & echo $!; wait"), -1).value();
  pid_t leader = process.pid;
  pollfd wanted{process.out.get(), POLLIN, 0};
  REQUIRE(poll(&wanted, 1, 20'000) == 1);
  char text[32] = {};
  REQUIRE(read(process.out.get(), text, sizeof text - 1) > 0);
  auto grandchild = static_cast<pid_t>(strtol(text, nullptr, 10));
  REQUIRE_FALSE(ended(grandchild));
  put_down(std::move(process));
  CHECK(ends_within(grandchild, 20'000));
  CHECK(ends_within(leader, 20'000));
}
