#include "mcp/stdio_peer.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/limits.h"
#include "mcp/batch.h"
#include "mcp/rewrite.h"

namespace mcptoken::mcp {
namespace {

constexpr int64_t kAliveMs = 100;  // how soon a listener hears that the process has ended

std::string ended_text(const loop::ChildExit& exit) { return "the server process has ended (" + exit.text() + ")"; }

json::ReadLimits line_limits() { return server_limits(limits::kStdioLineBytes); }

}  // namespace

StdioPeer::StdioPeer(loop::Loop& loop, StdioOptions options)
    : loop_(loop),
      options_(std::move(options)),
      pipe_(options_.identity.capabilities, [this](std::string line, int64_t) { return write(std::move(line)); },
            options_.on_unrelated) {}

// Ends the calls under way: they resume here, while everything they touch is still in place.
StdioPeer::~StdioPeer() {
  alive_.reset();
  options_.on_exit = nullptr;
  child_.reset();
  pipe_.fail_all(Error(Status::unavailable, "the server was stopped"));
}

loop::Task<Result<void>> StdioPeer::start() {
  auto spawning = spawn();
  auto started = co_await spawning;
  if (started && dead_) child_.reset();
  if (dead_) co_return fail(Status::unavailable, "the server was stopped");
  if (started) co_return Result<void>();
  // The reason names the program: the operator's to know, not the callers'.
  options_.log.warn(options_.label + ": " + started.error().message);
  Error error(started.error().status, "the server process cannot be started");
  co_return fail(std::move(error).with_hint("the gateway's log says why"));
}

loop::Task<Result<void>> StdioPeer::spawn() {
  MCPT_CO_TRY(auto spec, options_.make_spec());
  loop::ChildCallbacks callbacks;
  callbacks.on_line = [this](std::string line) { on_line(std::move(line)); };
  callbacks.on_log = [this](std::string_view line) {
    if (options_.on_stderr) options_.on_stderr(line);
  };
  callbacks.on_exit = [this](const loop::ChildExit& exit) { on_child_exit(exit); };
  auto starting = loop::Child::start(loop_, std::move(spec), std::move(callbacks), options_.log, group_.scope());
  MCPT_CO_TRY(child_, co_await starting);
  co_return Result<void>();
}

loop::Task<Result<void>> StdioPeer::open(loop::Scope& scope) {
  if (open_) co_return Result<void>();
  if (dead_) co_return fail(Status::unavailable, options_.label + ": the server process has ended");
  Function<loop::Task<Result<void>>()> start = [this] { return negotiate(); };
  auto task = opening_.join(group_, std::move(start), scope);
  auto result = co_await task;
  if (!result && !scope.cancelled()) co_return fail(std::move(result).error().in(options_.label));
  co_return result;
}

loop::Task<Result<void>> StdioPeer::negotiate() {
  auto starting = start();
  auto started = co_await starting;
  if (!started) {
    dead_ = true;
    co_return fail(std::move(started).error());
  }
  bool modern = options_.era == EraChoice::modern;
  if (options_.era != EraChoice::legacy) {
    probing_ = true;
    auto probe = probe_modern();
    auto answer = co_await probe;
    probing_ = false;
    if (!answer) {
      dead_ = true;
      co_return fail(std::move(answer).error());
    }
    if (modern && !*answer)
      co_return fail(Status::protocol, "the server does not speak " + std::string(kModernRevision));
    modern = *answer;
  }
  if (!modern) {
    auto task = initialize();
    auto done = co_await task;
    if (!done) {
      dead_ = true;
      co_return fail(std::move(done).error());
    }
  }
  open_ = true;
  co_return Result<void>();
}

// True: modern, and info_ is filled in. False: legacy, and a process is running. A server that leaves or keeps silent over
// an unknown first message is a legacy one; it is started again.
loop::Task<Result<bool>> StdioPeer::probe_modern() {
  auto task = ask("server/discover", discover_params(options_.identity), options_.probe_ms);
  auto answer = co_await task;
  if (answer) {
    MCPT_CO_TRY(auto era, judge_discover(*answer));
    if (era == Era::modern && answer->kind() == MessageKind::result) {
      MCPT_CO_TRY(info_, read_discover_result(*answer));
      co_return true;
    }
    if (era == Era::legacy) co_return false;
    co_return fail(answer->to_error().in("server/discover"));
  }
  if (dead_) co_return fail(Status::unavailable, "the server was stopped");
  child_.reset();
  auto starting = start();
  MCPT_CO_CHECK(co_await starting);
  co_return false;
}

loop::Task<Result<void>> StdioPeer::initialize() {
  auto task = ask("initialize", initialize_params(options_.identity, kNewestLegacyRevision), options_.open_ms);
  MCPT_CO_TRY(auto answer, co_await task);
  MCPT_CO_TRY(info_, read_initialize_result(answer));
  pipe_.send(notification("notifications/initialized", ""));
  co_return Result<void>();
}

loop::Task<Result<Message>> StdioPeer::ask(std::string method, std::string params, int64_t timeout_ms) {
  loop::Scope scope(group_.scope());
  loop::Deadline deadline(loop_, scope, timeout_ms, Error(Status::timeout, method + ": no answer in time"));
  std::vector<std::string_view> pieces{params};
  Call one(method, pieces);
  auto task = pipe_.exchange(one, nullptr, scope);
  auto answer = co_await task;
  co_return answer;
}

loop::Task<Result<Message>> StdioPeer::call(Call call, Events* events, loop::Scope& scope) {
  auto task = pipe_.exchange(std::move(call), events, scope);
  auto answer = co_await task;
  if (!answer && !scope.cancelled()) co_return fail(std::move(answer).error().in(options_.label));
  co_return answer;
}

loop::Task<Result<void>> StdioPeer::listen(Function<void()> on_open, loop::Scope& scope) {
  on_open();  // the process says everything on its one output
  while (!dead_) {
    loop::Sleep pause(loop_, kAliveMs);
    MCPT_CO_CHECK(co_await pause.wait(scope));
  }
  co_return fail(Status::unavailable, options_.label + ": the server process has ended");
}

void StdioPeer::notify(std::string message) { pipe_.send(std::move(message)); }

Result<void> StdioPeer::write(std::string line) {
  if (!child_ || dead_) return fail(Status::unavailable, "the server process has ended");
  // A message is one line (2025-11-25, transports, stdio). Line ends of a client that indents can only lie between the parts of its
  // JSON, where a space says the same.
  for (const char end : {'\n', '\r'}) std::replace(line.begin(), line.end(), end, ' ');
  if (const auto& exit = child_->exited()) return fail(Status::unavailable, ended_text(*exit));
  auto written = child_->write(std::move(line));
  if (!written) options_.log.debug(options_.label + ": " + written.error().message);
  if (written || written.error().status != Status::unavailable) return written;
  child_->stop();  // it hears nothing any more; its end, which says why, fails those who wait
  return {};
}

loop::Task<Result<void>> StdioPeer::stop(loop::Scope& scope) {
  dead_ = true;
  if (!child_) co_return Result<void>();
  child_->stop();
  auto gone = co_await child_->wait_exit(scope);
  if (!gone) co_return fail(gone.error());
  co_return Result<void>();
}

void StdioPeer::on_line(std::string line) {
  if (info_.revision == kBatchRevision && is_batch(line)) return on_batch(line);
  std::string refused;
  auto parsed = Message::parse(std::move(line), Origin::server, line_limits(), nullptr, &refused);
  if (parsed) return pipe_.take(*std::move(parsed));
  ++noise_lines_;
  pipe_.take_unreadable(refused);  // a waiter may destroy this object
}

void StdioPeer::on_batch(std::string_view line) {
  std::weak_ptr<int> alive = alive_;
  for (auto& message : read_batch(line)) {
    if (alive.lock()) pipe_.take(std::move(message));  // a waiter may destroy this object
  }
}

void StdioPeer::on_child_exit(const loop::ChildExit& exit) {
  std::string reason = ended_text(exit);
  bool final = !probing_;
  if (final) dead_ = true;
  std::weak_ptr<int> alive = alive_;
  pipe_.fail_all(Error(Status::unavailable, reason));  // a waiter may destroy this object
  if (final && alive.lock() && options_.on_exit) options_.on_exit(options_.label + ": " + reason);
}

}  // namespace mcptoken::mcp
