#include "conversation.h"

#include <algorithm>
#include <chrono>

namespace mcpctl {
namespace {

constexpr int64_t kStepMs = 200;          // how often a wait looks whether it is still wanted
constexpr int64_t kReconnectMs = 10'000;  // a gateway that starts anew is waited for so long: nothing was sent
constexpr int64_t kFarewellMs = 2'000;
constexpr size_t kMostThreads = 64;
constexpr const char* kProtocolKey = "io.modelcontextprotocol/protocolVersion";

int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Line breaks between the tokens of a JSON text mean nothing, and a transport of lines has no place for them.
std::string one_line(std::string json) {
  std::replace(json.begin(), json.end(), '\n', ' ');
  std::replace(json.begin(), json.end(), '\r', ' ');
  return json;
}

std::string raw(JsonValue value) {
  auto text = value.print(0);
  return text.ok() ? *text : std::string();
}

bool is_response(JsonValue root) { return root.get("result").present() || root.get("error").present(); }

std::string error_message(const std::string& id, int64_t code, const std::string& message, const std::string& hint) {
  JsonWriter writer;
  writer.begin_object().member("jsonrpc", "2.0").key("id").raw(id.empty() ? "null" : id).key("error").begin_object();
  writer.key("code").integer(code).member("message", message);
  if (!hint.empty()) writer.key("data").begin_object().member("hint", hint).end_object();
  writer.end_object().end_object();
  const auto text = writer.finish();
  return text.ok() ? std::string(view_of(*text)) : std::string();
}

// What an HTTP answer that is no MCP message says, in the control plane's words when they are there.
Failure refusal(int32_t status, const std::string& body) {
  Failure failure{kExitFailed, "HTTP " + std::to_string(status), {}, {}, {}};
  const auto document = JsonDocument::parse(body, "the answer");
  if (!document.ok()) return failure;
  failure.why = document->root().text("message");
  failure.hint = document->root().text("hint");
  return failure;
}

}  // namespace

Conversation::Conversation(Endpoint& endpoint, Emit emit) : endpoint_(endpoint), emit_(std::move(emit)) {}

Conversation::~Conversation() {
  {
    std::unique_lock<std::mutex> lock(mutex_);
    ended_ = true;
    for (auto& [id, call] : running_)
      call->dropped = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return threads_ == 0; });
  }
  if (listener_.joinable()) listener_.join();
  if (session().empty()) return;
  auto lease = endpoint_.take();
  if (!lease.ok() || !(*lease)->send("DELETE", session_headers(), {}).ok()) return;
  (void)(*lease)->next(kFarewellMs);
}

bool Conversation::pause(int64_t ms) {
  std::unique_lock<std::mutex> lock(mutex_);
  return !changed_.wait_for(lock, std::chrono::milliseconds(ms), [this] { return ended_; });
}

std::string Conversation::session() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return session_;
}

HeaderList Conversation::session_headers() {
  const std::lock_guard<std::mutex> lock(mutex_);
  HeaderList headers;
  if (!session_.empty()) headers.push_back({"Mcp-Session-Id", session_});
  if (!revision_.empty()) headers.push_back({"MCP-Protocol-Version", revision_});
  return headers;
}

void Conversation::emit(std::string message) {
  const std::lock_guard<std::mutex> lock(emit_mutex_);
  emit_(one_line(std::move(message)));
}

void Conversation::refuse(const Call& call, const Failure& failure) {
  if (call.id.empty() || call.dropped || call.quiet) return;
  emit(error_message(call.id, -32603, failure.what + (failure.why.empty() ? "" : ": " + failure.why), failure.hint));
}

void Conversation::take(const std::string& message) {
  const auto document = JsonDocument::parse(message, "the message");
  if (!document.ok()) return emit(error_message("", -32700, document.failure().why, ""));
  const JsonValue root = document->root();
  auto call = std::make_shared<Call>();
  call->message = message;
  call->method = root.text("method");
  call->modern = root.get("params").get("_meta").get(kProtocolKey).is_string();
  if (!call->method.empty() && root.get("id").present()) call->id = raw(root.get("id"));
  if (call->method == "notifications/cancelled") cancel(message);
  if (call->id.empty() || call->method == "initialize") return run(std::move(call));
  {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return threads_ < kMostThreads || ended_; });
    if (ended_) return;
    ++threads_;
    running_[call->id] = call;
  }
  std::thread([this, call] {
    run(call);
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = running_.find(call->id);
    if (found != running_.end() && found->second == call) running_.erase(found);
    --threads_;
    changed_.notify_all();
  }).detach();
}

void Conversation::wait(int64_t timeout_ms, const std::function<bool()>& gave_up) {
  const int64_t end = now_ms() + timeout_ms;
  std::unique_lock<std::mutex> lock(mutex_);
  while (threads_ > 0 && now_ms() < end && !gave_up())
    changed_.wait_for(lock, std::chrono::milliseconds(kStepMs));
}

// In the modern era closing is cancelling; the legacy notification goes on to the server like any other.
void Conversation::cancel(const std::string& message) {
  const auto document = JsonDocument::parse(message, "the message");
  if (!document.ok()) return;
  const std::string id = raw(document->root().get("params").get("requestId"));
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = running_.find(id);
  if (found == running_.end()) return;
  (found->second->modern ? found->second->dropped : found->second->quiet) = true;
}

void Conversation::run(CallPtr call) {
  const std::string session_before = call->method == "initialize" || call->modern ? "" : session();
  auto answer = exchange(*call);
  if (answer.ok() && answer->status == 404 && !answer->answered && !session_before.empty()) {
    // The session is lost, and the request did not run (2025-11-25, session management).
    const Status opened = reopen(session_before);
    if (!opened.ok()) return refuse(*call, opened.failure());
    answer = exchange(*call);
  }
  if (!answer.ok()) return refuse(*call, answer.failure());
  if (!answer->answered) {
    const bool fine = answer->status >= 200 && answer->status < 300;
    refuse(*call,
           fine ? Failure{kExitFailed, "the answer broke off", {}, {}, {}} : refusal(answer->status, answer->body));
  }
  if (call->method != "notifications/initialized" || session().empty()) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  initialized_ = call->message;
  if (!ended_ && !listener_.joinable()) listener_ = std::thread([this] { listen(); });
}

Result<Conversation::Answer> Conversation::exchange(Call& call) {
  HeaderList headers;
  if (!call.modern && call.method != "initialize") headers = session_headers();
  const int64_t end = now_ms() + kReconnectMs;
  for (int64_t wait_ms = 100;; wait_ms = std::min<int64_t>(wait_ms * 2, 1000)) {
    auto answer = attempt(call, headers);
    const bool unsent = !answer.ok() && answer.failure().status == MCPTOKEN_UNAVAILABLE;
    if (!unsent || now_ms() > end || call.dropped || !pause(wait_ms)) return answer;
  }
}

Result<Conversation::Answer> Conversation::attempt(Call& call, const HeaderList& headers) {
  MCPCTL_TRY(Endpoint::Lease lease, endpoint_.take());
  MCPCTL_CHECK(lease->send_message(call.message, headers));
  auto answer = read(lease, call);
  if (answer.ok() && !call.dropped) lease.done();
  return answer;
}

Result<Conversation::Answer> Conversation::read(Endpoint::Lease& lease, Call& call) {
  Answer answer;
  answer.answered = call.id.empty();
  std::string body;
  while (!call.dropped) {
    MCPCTL_TRY(const Stream::Step step, lease->next(kStepMs));
    const std::string data(view_of(step.data));
    if (step.what == MCPTOKEN_STREAM_HEAD) {
      answer.status = lease->status();
      if (call.method == "initialize" && answer.status == 200) {
        const std::lock_guard<std::mutex> lock(mutex_);
        session_ = lease->header("Mcp-Session-Id");
      }
    } else if (step.what == MCPTOKEN_STREAM_DATA) {
      body += data;
    } else if (step.what == MCPTOKEN_STREAM_EVENT && !data.empty()) {
      const auto document = JsonDocument::parse(data, "the event");
      if (!document.ok()) return document.failure();
      if (is_response(document->root())) {
        answer.answered = true;
        remember(call, data);
      }
      emit(data);
    } else if (step.what == MCPTOKEN_STREAM_END) {
      const auto document = JsonDocument::parse(body, "the answer");
      if (!body.empty() && document.ok() && !document->root().text("jsonrpc").empty()) {
        // 404 with an MCP error is what a session's loss looks like; what the client shall see of it is decided by
        // run().
        const bool lost = answer.status == 404 && !call.modern && !session().empty() && call.method != "initialize";
        if (!lost && !call.id.empty()) {
          remember(call, body);
          emit(body);
          answer.answered = true;
        }
      }
      answer.body = std::move(body);
      if (call.id.empty() && (answer.status < 200 || answer.status >= 300)) answer.answered = answer.status != 404;
      return answer;
    }
  }
  answer.answered = true;  // nobody waits for it any more
  return answer;
}

void Conversation::remember(const Call& call, const std::string& answer) {
  if (call.method != "initialize") return;
  const auto document = JsonDocument::parse(answer, "the answer");
  if (!document.ok() || !document->root().get("result").present()) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  initialize_ = call.message;
  revision_ = document->root().get("result").text("protocolVersion");
}

// The first to notice begins once more, with what the client began with; the others find it done.
Status Conversation::reopen(const std::string& lost) {
  const std::lock_guard<std::mutex> one_at_a_time(reopen_mutex_);
  if (session() != lost) return Done{};
  std::string hello, ready;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    hello = initialize_;
    ready = initialized_;
  }
  for (const std::string& message : {hello, ready}) {
    if (message.empty()) continue;
    MCPCTL_TRY(Endpoint::Lease lease, endpoint_.take());
    MCPCTL_CHECK(lease->send_message(message, message == hello ? HeaderList() : session_headers()));
    for (int32_t what = 0; what != MCPTOKEN_STREAM_END;) {
      MCPCTL_TRY(const Stream::Step step, lease->next(kReconnectMs));
      what = step.what;
      if (what == MCPTOKEN_STREAM_NOTHING)
        return Failure{kExitFailed, "the session was lost and no new one came", {}, {}, {}};
    }
    if (lease->status() >= 300) return refusal(lease->status(), "");
    if (message == hello) {
      const std::lock_guard<std::mutex> lock(mutex_);
      session_ = lease->header("Mcp-Session-Id");
    }
    lease.done();
  }
  return Done{};
}

void Conversation::listen() {
  for (int64_t wait_ms = 500; listen_once() && pause(wait_ms); wait_ms = std::min<int64_t>(wait_ms * 2, 30'000)) {
  }
}

// False when there is nothing to listen to.
bool Conversation::listen_once() {
  HeaderList headers = session_headers();
  const std::string mine = session();
  headers.push_back({"Accept", "text/event-stream"});
  auto lease = endpoint_.take();
  if (!lease.ok()) return false;
  if (!(*lease)->send("GET", headers, {}).ok()) return false;
  for (;;) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (ended_) return false;
    }
    const auto step = (*lease)->next(kStepMs);
    if (!step.ok()) return true;
    if (step->what == MCPTOKEN_STREAM_END) return true;
    if (step->what == MCPTOKEN_STREAM_EVENT && !view_of(step->data).empty()) emit(std::string(view_of(step->data)));
    if (step->what != MCPTOKEN_STREAM_HEAD || (*lease)->status() == 200) continue;
    if ((*lease)->status() == 404) return reopen(mine).ok();
    return (*lease)->status() != 405 && (*lease)->status() != 401 && (*lease)->status() != 403;
  }
}

}  // namespace mcpctl
