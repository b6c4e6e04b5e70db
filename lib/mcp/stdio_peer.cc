#include "mcp/stdio_peer.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "mcp/rewrite.h"

namespace mcptoken::mcp {
namespace {

constexpr int64_t kAliveMs = 100;  // how soon a listener hears that the process has ended

json::ReadLimits line_limits() {
  json::ReadLimits limits;
  limits.bytes = limits::kStdioLineBytes;
  return limits;
}

// Takes a call off the list when its frame ends, also when it is destroyed half-way: `events` are the frame's.
template <class Map>
struct Listed {
  Listed(Map& map_in, int64_t id_in) : map(map_in), id(id_in) {}
  ~Listed() { map.erase(id); }
  Listed(const Listed&) = delete;
  Listed& operator=(const Listed&) = delete;
  Map& map;
  int64_t id;
};

// The id of the listen request that a message of the modern era belongs to, raw.
std::string subscription_of(const Message& message) {
  const json::Node* meta = message.meta();
  auto outline = meta ? json::Outline::read(message.outline().raw(*meta), 1) : Result<json::Outline>(fail(Status::not_found, ""));
  const json::Node* id = outline ? outline->find("io.modelcontextprotocol/subscriptionId") : nullptr;
  return id ? std::string(outline->raw(*id)) : std::string();
}

std::string join(const std::vector<std::string_view>& pieces) {
  std::string out;
  for (auto piece : pieces) out.append(piece);
  return out;
}

}  // namespace

StdioPeer::StdioPeer(loop::Loop& loop, StdioOptions options) : loop_(loop), options_(std::move(options)) {}

// Ends the calls under way: they resume here, while everything they touch is still in place.
StdioPeer::~StdioPeer() {
  alive_.reset();
  options_.on_exit = nullptr;
  child_.reset();
  fail_all(Error(Status::unavailable, "the server was stopped"));
}

Result<void> StdioPeer::start() {
  auto started = spawn();
  if (started) return {};
  // The reason names the program: the operator's to know, not the callers'.
  options_.log.warn(options_.label + ": " + started.error().message);
  return fail(started.error().status, "the server process cannot be started");
}

Result<void> StdioPeer::spawn() {
  MCPT_TRY(auto spec, options_.make_spec());
  loop::ChildCallbacks callbacks;
  callbacks.on_line = [this](std::string line) { on_line(std::move(line)); };
  callbacks.on_log = [this](std::string_view line) {
    if (options_.on_stderr) options_.on_stderr(line);
  };
  callbacks.on_exit = [this](const loop::ChildExit& exit) { on_child_exit(exit); };
  MCPT_TRY(child_, loop::Child::start(loop_, std::move(spec), std::move(callbacks), options_.log));
  return {};
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
  auto started = start();
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
  MCPT_CO_CHECK(start());
  co_return false;
}

loop::Task<Result<void>> StdioPeer::initialize() {
  auto task = ask("initialize", initialize_params(options_.identity, kNewestLegacyRevision), options_.open_ms);
  MCPT_CO_TRY(auto answer, co_await task);
  MCPT_CO_TRY(info_, read_initialize_result(answer));
  send(notification("notifications/initialized", ""));
  co_return Result<void>();
}

loop::Task<Result<Message>> StdioPeer::ask(std::string method, std::string params, int64_t timeout_ms) {
  loop::Scope scope(group_.scope());
  loop::Deadline deadline(loop_, scope, timeout_ms, Error(Status::timeout, method + ": no answer in time"));
  std::vector<std::string_view> pieces{params};
  Call one(method, pieces);
  auto task = exchange(one, nullptr, scope);
  auto answer = co_await task;
  co_return answer;
}

loop::Task<Result<Message>> StdioPeer::call(Call call, Events* events, loop::Scope& scope) {
  auto task = exchange(std::move(call), events, scope);
  auto answer = co_await task;
  if (!answer && !scope.cancelled()) co_return fail(std::move(answer).error().in(options_.label));
  co_return answer;
}

// Texts of its errors do not name the server: open() and call() do, once.
loop::Task<Result<Message>> StdioPeer::exchange(Call call, Events* events, loop::Scope& scope) {
  if (!child_ || dead_) co_return fail(Status::unavailable, "the server process has ended");
  int64_t id = ++next_id_;
  auto pending = std::make_shared<Pending>();
  pending->events = events;
  pending->progress_token = std::string(call.progress_token);
  pending_[id] = pending;
  Listed listed(pending_, id);
  std::string line = request_head(std::to_string(id), call.method, !call.params.empty());
  line.append(join(call.params)).append("}");
  auto written = child_->write(std::move(line));
  if (!written) co_return fail(std::move(written).error());
  std::string method(call.method);
  auto answer = co_await pending->done.wait(scope);
  if (!answer && scope.cancelled() && method != "initialize") {
    send(notification("notifications/cancelled", "{\"requestId\":" + std::to_string(id) + "}"));
  }
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

void StdioPeer::notify(std::string message) { send(std::move(message)); }

void StdioPeer::send(std::string line) {
  if (!child_) return;
  if (auto written = child_->write(std::move(line)); !written) options_.log.debug(options_.label + ": " + written.error().message);
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
  auto parsed = Message::parse(std::move(line), Origin::server, line_limits());
  if (!parsed) {
    ++noise_lines_;
    return;
  }
  Message message = *std::move(parsed);
  switch (message.kind()) {
    case MessageKind::request:
      return on_request(std::move(message));
    case MessageKind::notification:
      return on_notification(std::move(message));
    case MessageKind::result:
    case MessageKind::error: {
      auto id = parse_decimal(message.id());
      auto it = id ? pending_.find(*id) : pending_.end();
      if (it == pending_.end()) return;  // late, or never asked
      auto pending = it->second;
      pending->done.resolve(std::move(message));
      return;
    }
  }
}

Events* StdioPeer::youngest_listener() {
  for (auto it = pending_.rbegin(); it != pending_.rend(); ++it) {
    if (it->second->events) return it->second->events;
  }
  return nullptr;
}

void StdioPeer::on_request(Message message) {
  if (message.method() == "ping") return send(result_message(message.id(), "{}"));
  Events* events = options_.identity.capabilities != 0 ? youngest_listener() : nullptr;
  if (!events) {
    return send(error_message(message.id(), Error(Status::not_supported, "the client does not offer this").with_rpc(rpc::kMethodNotFound)));
  }
  events->on_request(std::move(message), [this, alive = std::weak_ptr<int>(alive_)](std::string reply) {
    if (alive.lock()) send(std::move(reply));
  });
}

void StdioPeer::on_notification(Message message) {
  if (message.method() == "notifications/progress") {
    const json::Node* token = message.param("progressToken");
    if (!token) return;
    std::string_view raw = message.outline().raw(*token);
    for (auto& [id, pending] : pending_) {
      if (pending->events && !pending->progress_token.empty() && pending->progress_token == raw) {
        return pending->events->on_notification(std::move(message));
      }
    }
    return;
  }
  if (message.method() == "notifications/subscriptions/acknowledged") {  // the one listen request that waits for it
    for (auto& [id, pending] : pending_) {
      if (pending->events && subscription_of(message) == std::to_string(id)) return pending->events->on_notification(std::move(message));
    }
    return;
  }
  bool exclusive = options_.identity.capabilities != 0;
  if (message.method() == "notifications/message") {
    Events* events = exclusive ? youngest_listener() : nullptr;
    if (events) events->on_notification(std::move(message));
    return;
  }
  if (options_.on_unrelated) options_.on_unrelated(std::move(message));
}

void StdioPeer::on_child_exit(const loop::ChildExit& exit) {
  std::string reason = "the server process has ended (" + exit.text() + ")";
  bool final = !probing_;
  if (final) dead_ = true;
  std::weak_ptr<int> alive = alive_;
  fail_all(Error(Status::unavailable, reason));  // a waiter may destroy this object
  if (final && alive.lock() && options_.on_exit) options_.on_exit(options_.label + ": " + reason);
}

void StdioPeer::fail_all(const Error& error) {
  auto pending = std::exchange(pending_, {});
  for (auto& [id, one] : pending) one->done.resolve(fail(error));
}

}  // namespace mcptoken::mcp
