#include "loop/sandbox.h"

#include <doctest/doctest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "child_run.h"
#include "temp_dir.h"

using namespace mcptoken;
using namespace mcptoken::loop;

namespace {

bool lacks_landlock() {
  if (Sandbox::abi() > 0) return false;
  MESSAGE("skipped: this kernel has no Landlock");
  return true;
}

// What a script says inside a sandbox; each line of it is "allowed" or "denied".
std::vector<std::string> inside(const std::vector<std::string>& hidden, const std::string& script) {
  ChildSpec spec =
      ChildRun::sh("try() { if \"$@\" >/dev/null 2>&1; then echo allowed; else echo denied; fi; }\n" + script);
  spec.hidden_paths = hidden;
  spec.require_sandbox = true;
  ChildRun run;
  auto started = run.start(std::move(spec));
  if (!started) FAIL(started.error().message);
  run.until_exit();
  CHECK(run.exit->code == 0);
  return run.lines;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a child cannot reach what is hidden, and can reach the rest") {
  if (lacks_landlock()) return;
  TempDir dir;
  std::string secret = dir.file("data/deep/secret", "s3cret");
  std::string other = dir.file("other/file", "open");
  std::string hidden = dir.path() + "/data";
  CHECK(inside({hidden}, "try cat " + secret + "\ntry cat " + other) == Lines{"denied", "allowed"});
  CHECK(inside({hidden}, "try ls " + hidden + "\ntry ls " + dir.path() + "/other") == Lines{"denied", "allowed"});
  CHECK(inside({hidden}, "try touch " + hidden + "/new\ntry touch " + dir.path() + "/other/new") ==
        Lines{"denied", "allowed"});
  CHECK(inside({hidden}, "try truncate -s 0 " + secret + "\ntry rm " + secret + "\ntry mv " + hidden + " " +
                             dir.path() + "/other/moved\ntry ln " + secret + " " + dir.path() + "/other/linked") ==
        Lines{"denied", "denied", "denied", "denied"});
  CHECK(std::filesystem::file_size(secret) == 6);
  // Around the corner: a link into it, another process's view of it, the parent's memory.
  std::filesystem::create_symlink(hidden, dir.path() + "/other/link");
  CHECK(inside({hidden}, "try cat " + dir.path() + "/other/link/deep/secret\ntry cat /proc/$PPID/root" + secret +
                             "\ntry sh -c ': < /proc/'$PPID'/mem'") == Lines{"denied", "denied", "denied"});
  CHECK(inside({hidden}, "try sh -c 'cat " + secret +
                             "'\ntry /usr/bin/env true\ntry cat /proc/self/status\ntry sh -c 'echo > /dev/null'") ==
        Lines{"denied", "allowed", "allowed", "allowed"});
}

TEST_CASE("truncation by name is denied too, where the kernel can") {
  if (Sandbox::abi() < 3) {
    MESSAGE("skipped: this kernel's Landlock knows no truncation");
    return;
  }
  TempDir dir;
  std::string secret = dir.file("data/secret", "s3cret"), other = dir.file("other/file", "open");
  auto sandbox = Sandbox::hide({dir.path() + "/data"});
  REQUIRE(sandbox);
  pid_t pid = fork();
  if (pid == 0) {  // no command truncates without opening first
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    bool entered = Sandbox::enter(sandbox->fd()) == 0;
    bool denied = truncate(secret.c_str(), 0) != 0, allowed = truncate(other.c_str(), 0) == 0;
    _exit((entered ? 1 : 0) + (denied ? 2 : 0) + (allowed ? 4 : 0));
  }
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  CHECK(WEXITSTATUS(status) == 7);
}

TEST_CASE("directories on the way can be passed but not listed or changed") {
  if (lacks_landlock()) return;
  TempDir dir;
  std::string other = dir.file("other/file", "open");
  dir.file("data/x");
  CHECK(inside({dir.path() + "/data"}, "try ls " + dir.path() + "\ntry touch " + dir.path() + "/new\ntry test -f " +
                                           other + "\ntry cat " + other) ==
        Lines{"denied", "denied", "allowed", "allowed"});
}

TEST_CASE("several paths, nested ones, files, and links to them") {
  if (lacks_landlock()) return;
  TempDir dir;
  std::string a = dir.file("a/x", "1"), b = dir.file("b/c/key", "2"), beside = dir.file("b/c/beside", "3");
  dir.file("a/deeper/y");
  std::filesystem::create_symlink(dir.path() + "/a", dir.path() + "/alias");
  CHECK(inside({dir.path() + "/alias", dir.path() + "/a/deeper", b},
               "try cat " + a + "\ntry cat " + b + "\ntry cat " + beside + "\ntry cat " + dir.path() + "/a/deeper/y") ==
        Lines{"denied", "denied", "allowed", "denied"});
  // A name that merely begins like a hidden one is not hidden.
  std::string similar = dir.file("a2/x");
  CHECK(inside({dir.path() + "/a"}, "try cat " + similar) == Lines{"allowed"});
}

TEST_CASE("a hidden path may come into being later") {
  if (lacks_landlock()) return;
  TempDir dir;
  std::string later = dir.path() + "/later";
  ChildSpec spec = ChildRun::sh("read go; cat " + later + "/file || echo denied");
  spec.hidden_paths = {later};
  spec.require_sandbox = true;
  ChildRun run;
  REQUIRE(run.start(std::move(spec)));
  dir.file("later/file", "secret\n");
  REQUIRE(run.child->write("go"));
  run.until_exit();
  CHECK(run.lines == Lines{"denied"});
}

TEST_CASE("a child cannot signal the process that started it") {
  if (Sandbox::abi() < 6) {
    MESSAGE("skipped: this kernel's Landlock knows no signal scope");
    return;
  }
  TempDir dir;
  dir.file("data/x");
  CHECK(inside({dir.path() + "/data"}, "try kill -0 $PPID\nsleep 100 & try kill $!") == Lines{"denied", "allowed"});
}

TEST_CASE("a program inside a hidden path does not start") {
  if (lacks_landlock()) return;
  TempDir dir;
  ChildSpec spec;
  spec.argv = {dir.file("data/tool", "#!/bin/sh\n", true)};
  spec.hidden_paths = {dir.path() + "/data"};
  ChildRun run;
  auto started = run.start(std::move(spec));
  REQUIRE_FALSE(started);
  CHECK(started.error().status == Status::denied);
}

TEST_CASE("what cannot be hidden is refused") {
  CHECK(Sandbox::hide({}).error().status == Status::invalid);
  CHECK(Sandbox::hide({"/"}).error().status == Status::invalid);
  CHECK(Sandbox::hide({"/usr/.."}).error().status == Status::invalid);
  CHECK(Sandbox::hide({"relative/path"}).error().status == Status::invalid);
  CHECK(Sandbox::hide({std::string("/a\0b", 4)}).error().status == Status::invalid);
  ChildRun run;
  ChildSpec spec = ChildRun::sh("true");
  spec.require_sandbox = true;
  CHECK(run.start(std::move(spec)).error().status == Status::invalid);
}

TEST_CASE("too many entries beside a hidden path are an error, not a long pause") {
  if (lacks_landlock()) return;
  TempDir dir;
  std::string first = dir.file("0");
  for (size_t i = 1; i <= limits::kSandboxRules; ++i) {
    if (link(first.c_str(), (dir.path() + "/" + std::to_string(i)).c_str()) != 0) FAIL("link");
  }
  auto sandbox = Sandbox::hide({dir.path() + "/data"});
  REQUIRE_FALSE(sandbox);
  CHECK(sandbox.error().status == Status::limit);
  CHECK(sandbox.error().message.find(dir.path()) != std::string::npos);
}
