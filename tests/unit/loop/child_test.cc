#include "loop/child.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <filesystem>
#include <future>

#include "child_run.h"
#include "loop/starter.h"

using namespace mcptoken;
using namespace mcptoken::loop;

namespace {

size_t open_descriptors() {
  size_t count = 0;
  for ([[maybe_unused]] auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

bool has_children() {
  siginfo_t info{};
  return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

ChildSpec cat() {
  ChildSpec spec;
  spec.argv = {"/bin/cat"};
  return spec;
}

ChildSpec quick(ChildSpec spec) {
  spec.term_after_ms = 30;
  spec.kill_after_ms = 30;
  return spec;
}

}  // namespace

TEST_CASE("what is written comes back, in order, and a closed stdin ends it") {
  ChildRun run;
  REQUIRE(run.start(cat()));
  CHECK(run.child->pid() > 0);
  std::vector<std::string> sent;
  for (int i = 0; i < 3000; ++i) {
    sent.push_back(std::string(static_cast<size_t>(i % 300), 'x') + std::to_string(i));
    REQUIRE(run.child->write(sent.back()));
  }
  CHECK(run.child->queued_bytes() > 0);  // far more than a pipe holds
  run.child->stop();                     // what is queued is still written
  run.until_exit();
  CHECK(run.lines == sent);
  CHECK(run.exit->code == 0);
  CHECK(run.exit->text() == "exit code 0");
  CHECK(run.child->write("late").error().status == Status::unavailable);
}

TEST_CASE("one long line passes, one too long ends the child") {
  ChildRun run;
  REQUIRE(run.start(cat()));
  std::string line(5'000'000, 'y');
  REQUIRE(run.child->write(line));
  run.until_line(line);
  CHECK(run.child->write("a\nb").error().status == Status::invalid);
  CHECK(run.child->write(std::string(limits::kStdioQueueBytes, 'z')).error().status == Status::too_large);

  ChildRun endless;
  REQUIRE(endless.start(ChildRun::sh("echo first; head -c 17000000 /dev/zero; sleep 100")));
  endless.until_exit();
  CHECK(endless.lines == std::vector<std::string>{"first"});
  CHECK(endless.exit->signal == SIGKILL);
  CHECK(endless.exit->text() == "killed by signal 9 (Killed), a line on stdout exceeds 16777216 bytes");
}

TEST_CASE("exit codes and signals are told apart; the last words arrive before the end") {
  ChildRun code;
  REQUIRE(code.start(ChildRun::sh("echo out; echo err >&2; printf partial; exit 3")));
  code.until_exit();
  CHECK(code.exit->code == 3);
  CHECK(code.exit->signal == 0);
  CHECK(code.exit->text() == "exit code 3");
  CHECK(code.lines == std::vector<std::string>{"out", "partial"});
  CHECK(code.logs == std::vector<std::string>{"err"});

  ChildRun signalled;
  REQUIRE(signalled.start(ChildRun::sh("kill -SEGV $$")));
  signalled.until_exit();
  CHECK(signalled.exit->code == -1);
  CHECK(signalled.exit->signal == SIGSEGV);
  CHECK(signalled.exit->reason.empty());
}

TEST_CASE("a child that never reads its stdin hurts only itself") {
  ChildRun run;
  REQUIRE(run.start(quick(ChildRun::sh("echo up; exec sleep 100"))));
  run.until_line("up");
  std::string line(1'000'000, 'x');
  Result<void> result;
  int accepted = 0;
  while ((result = run.child->write(line)) && accepted < 100) ++accepted;
  REQUIRE_FALSE(result);
  CHECK(result.error().status == Status::limit);
  CHECK(accepted == 16);
  CHECK(run.child->queued_bytes() <= limits::kStdioQueueBytes);
  run.child->stop();
  run.until_exit();
  CHECK(run.exit->signal == SIGTERM);
}

TEST_CASE("a closed stdin is an error of the write, not a signal to the host") {
  ChildRun run;
  REQUIRE(run.start(ChildRun::sh("exec <&-; echo closed; exec sleep 100")));
  run.until_line("closed");
  auto result = run.child->write("hello");
  REQUIRE_FALSE(result);
  CHECK(result.error().status == Status::unavailable);
  CHECK(run.child->queued_bytes() == 0);
  sigset_t pending;
  sigpending(&pending);
  CHECK(sigismember(&pending, SIGPIPE) == 0);
}

TEST_CASE("a flood on stdout is delivered piece by piece while timers still run") {
  ChildRun run;
  run.keep_lines = false;
  REQUIRE(run.start(quick(ChildRun::sh("exec yes"))));
  int ticks = 0;
  Timer timer(*run.loop);
  timer.start(2, [&] { if (++ticks == 10) run.child->stop(); }, 2);
  run.until_exit();
  CHECK(ticks >= 10);
  CHECK(run.line_count > 1000);
}

TEST_CASE("stderr comes in lines, long ones in pieces") {
  ChildRun run;
  REQUIRE(run.start(ChildRun::sh("(head -c 100000 /dev/zero | tr '\\0' e; echo; seq 1 20000) >&2")));
  run.until_exit();
  CHECK(run.logs[0].size() == limits::kStderrLineBytes);
  CHECK(run.logs.back() == "20000");
}

TEST_CASE("stop: stdin, then TERM, then KILL") {
  ChildRun polite, deaf;
  ChildSpec slow_to_go = quick(ChildRun::sh("trap 'echo term; exit 7' TERM; echo up; while :; do sleep 0.01; done"));
  slow_to_go.kill_after_ms = 60'000;  // it has to be given the processor before that
  REQUIRE(polite.start(std::move(slow_to_go)));
  polite.until_line("up");
  polite.child->stop();
  polite.child->stop();
  polite.until_exit();
  CHECK(polite.lines.back() == "term");
  CHECK(polite.exit->text() == "exit code 7, stopped");

  REQUIRE(deaf.start(quick(ChildRun::sh("trap '' TERM; echo up; while :; do sleep 0.01; done"))));
  deaf.until_line("up");
  auto before = deaf.loop->now_ms();
  deaf.child->stop();
  deaf.until_exit();
  CHECK(deaf.exit->signal == SIGKILL);
  CHECK(deaf.exit->reason == "stopped, did not end by itself");
  CHECK(deaf.loop->now_ms() - before >= 59);
}

TEST_CASE("grandchildren end with the child: stopped, killed, or ended by itself") {
  for (const char* how : {"stop", "kill", "exit", "destroy"}) {
    CAPTURE(how);
    ChildRun run;
    REQUIRE(run.start(quick(ChildRun::sh("sleep 100 & echo $!; echo up; read line; [ \"$line\" = exit ] || wait"))));
    run.until_line("up");
    auto grandchild = static_cast<pid_t>(strtol(run.lines[0].c_str(), nullptr, 10));
    REQUIRE_FALSE(ended(grandchild));
    std::string_view way(how);
    if (way == "exit") REQUIRE(run.child->write("exit"));
    if (way == "stop") run.child->stop();
    if (way == "kill") run.child->kill("test");
    if (way == "destroy") run.child.reset();
    else run.until_exit();
    CHECK(ends_within(grandchild, 20'000));
  }
}

TEST_CASE("TERM reaches the whole group") {
  // The leader survives it and ends, in order, when the other process has.
  ChildRun run;
  ChildSpec spec = ChildRun::sh(
      "trap : TERM; sh -c 'trap \"echo inner; exit\" TERM; echo up; while :; do sleep 0.01; done' & wait; wait; echo "
      "leader");
  spec.term_after_ms = 1;
  spec.kill_after_ms = 60'000;
  REQUIRE(run.start(std::move(spec)));
  run.until_line("up");
  run.child->stop();
  run.until_exit();
  CHECK(run.lines == std::vector<std::string>{"up", "inner", "leader"});
  CHECK(run.exit->code == 0);
}

TEST_CASE("a child that closes its stdout is stopped") {
  ChildRun run;
  REQUIRE(run.start(quick(ChildRun::sh("exec >&-; exec sleep 100"))));
  run.until_exit();
  CHECK(run.exit->signal == SIGTERM);
}

TEST_CASE("callbacks may destroy the child") {
  for (const char* where : {"line", "log", "exit"}) {
    CAPTURE(where);
    auto loop = std::move(Loop::create()).value();
    std::unique_ptr<Child> child;
    int calls = 0;
    std::string guard(1000, 'g');  // captured: a callback freed while it runs is a use after free
    auto end = [&, guard] {
      child.reset();
      calls += guard.size() == 1000 && guard.back() == 'g' ? 1 : 100;
      loop->stop();
    };
    ChildCallbacks callbacks;
    std::string_view place(where);
    if (place == "line") callbacks.on_line = [end](std::string) { end(); };
    if (place == "log") callbacks.on_log = [end](std::string_view) { end(); };
    if (place == "exit") callbacks.on_exit = [end](const ChildExit&) { end(); };
    child = started(*loop, ChildRun::sh("echo a; echo b; echo c >&2; echo d >&2"), std::move(callbacks)).value();
    Timer limit(*loop);
    limit.start(60'000, [&] { loop->stop(); });
    loop->run();
    CHECK(calls == 1);
    CHECK(child == nullptr);
  }
}

TEST_CASE("the end can be awaited") {
  ChildRun run;
  REQUIRE(run.start(ChildRun::sh("exit 5")));
  Group group;
  int code = -1;
  auto waits = [](Child& child, Scope& scope, int& out) -> Task<Result<void>> {
    auto exit = co_await child.wait_exit(scope);
    if (!exit) co_return fail(exit.error());
    out = exit->code;
    co_return Result<void>();
  };
  group.spawn(waits(*run.child, group.scope(), code));
  run.until_exit();
  CHECK(code == 5);
  REQUIRE(run.child->exited());
  CHECK(run.child->exited()->code == 5);
}

TEST_CASE("a host that ignores SIGCHLD still learns of the end") {
  auto old = signal(SIGCHLD, SIG_IGN);
  ChildRun run;
  REQUIRE(run.start(ChildRun::sh("exit 5")));
  run.until_exit();
  signal(SIGCHLD, old);
  CHECK(run.exit->text() == "ended, status unknown");
}

TEST_CASE("the loop goes on while a program is being started, and one that nobody waits for any more is put down") {
  auto loop = std::move(Loop::create()).value();
  std::promise<void> gate;
  REQUIRE(starter_of(*loop).submit([open = gate.get_future()]() mutable { open.wait(); }));
  std::optional<Started> wanted, unwanted;
  auto group = std::make_unique<Group>(), gone = std::make_unique<Group>();
  group->spawn(start_child(*loop, cat(), {}, Log(), group->scope(), wanted));
  gone->spawn(start_child(*loop, cat(), {}, Log(), gone->scope(), unwanted));
  int ticks = 0;
  Timer timer(*loop);
  timer.start(1, [&] { if (++ticks == 20) loop->stop(); }, 1);
  loop->run();
  CHECK(ticks == 20);
  timer.stop();
  CHECK_FALSE(wanted);
  gone.reset();
  gate.set_value();
  for (; !wanted; usleep(100)) loop->run_once();
  REQUIRE(*wanted);
  REQUIRE(unwanted);
  CHECK_FALSE(*unwanted);
  CHECK(ended((**wanted)->pid()) == false);
  wanted->value().reset();
  loop.reset();
  for (int i = 0; i < 20'000 && has_children(); ++i, usleep(1000)) CHECK_FALSE(spawn(ChildSpec(), -1));
  CHECK_FALSE(has_children());
}

TEST_CASE("a start that is not over in time says so, and what comes of it later is put down") {
  auto loop = std::move(Loop::create()).value();
  std::promise<void> gate;
  REQUIRE(starter_of(*loop).submit([open = gate.get_future()]() mutable { open.wait(); }));
  auto late = started(*loop, cat(), {});
  REQUIRE_FALSE(late);
  CHECK(late.error().status == Status::timeout);
  CHECK(late.error().message == "cannot start '/bin/cat': no exec in time");
  gate.set_value();
  CHECK(started(*loop, cat(), {}));  // behind it
  loop.reset();
  for (int i = 0; i < 20'000 && has_children(); ++i, usleep(1000)) CHECK_FALSE(spawn(ChildSpec(), -1));
  CHECK_FALSE(has_children());
}

TEST_CASE("200 starts and ends leave no process and no descriptor") {
  ChildRun first;  // whatever the loop itself opens is open after one round
  REQUIRE(first.start(cat()));
  first.child.reset();
  first.turn_for(1);
  size_t before = open_descriptors();
  for (int i = 0; i < 200; ++i) {
    first.exit.reset();
    ChildSpec spec = i % 4 == 3 ? ChildRun::sh("exit 1") : cat();
    if (i % 10 == 9) spec.argv = {"/no/such/program"};
    bool started = first.start(std::move(spec)).has_value();
    CHECK(started == (i % 10 != 9));
    if (!started) continue;
    if (i % 2 == 0) {
      first.child->stop();
      first.until_exit();
    }
    first.child.reset();
  }
  for (int i = 0; i < 20'000 && has_children(); ++i) {  // one that took longer to go is collected by the next start
    usleep(1000);
    CHECK_FALSE(first.start(ChildSpec()));
  }
  CHECK_FALSE(has_children());
  first.turn_for(1);
  CHECK(open_descriptors() == before);
}
