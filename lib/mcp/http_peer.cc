#include "mcp/http_peer.h"

#include <optional>

#include "base/bytes.h"
#include "base/limits.h"
#include "crypto/secret.h"
#include "loop/stage.h"
#include "mcp/cancel.h"
#include "mcp/header.h"
#include "mcp/http_answer.h"
#include "mcp/rewrite.h"

namespace mcptoken::mcp {
namespace {

// A call's stream may carry what is not of the call: progress under another token than the call's is nobody's.
class OwnProgress final : public Events {
 public:
  OwnProgress(std::string_view token, Events* events) : token_(token), events_(*events) {}
  void on_notification(Message message) override {
    if (message.method() == "notifications/progress") {
      const json::Node* token = message.param("progressToken");
      if (!token || token_.empty() || message.outline().raw(*token) != token_) return;
    }
    events_.on_notification(std::move(message));
  }
  void on_request(Message message, Function<void(std::string)> reply) override {
    events_.on_request(std::move(message), std::move(reply));
  }

 private:
  std::string_view token_;
  Events& events_;
};

// What changes nothing at the server, and so may be sent again when a kept connection turns out to be closed.
bool does_no_harm(std::string_view method) {
  return method == "server/discover" || method == "initialize" || method == "ping" || method.ends_with("/list");
}

// Of a message that is on its way to a server; "" of a response.
std::string method_of(std::string_view message) {
  auto outline = json::Outline::read(message, 1, server_limits(message.size()));
  const json::Node* method = outline ? outline->find("method") : nullptr;
  return method ? outline->string(*method) : std::string();
}

}  // namespace

HttpPeer::HttpPeer(loop::Loop& loop, http::Client& client, HttpOptions options)
    : loop_(loop), client_(client), options_(std::move(options)), harmless_(options_.http) {
  harmless_.repeatable = true;
}

HttpPeer::~HttpPeer() {
  alive_.reset();
  for (auto& header : options_.headers) crypto::wipe(header.value.data(), header.value.size());
}

HttpPeer::Headers::~Headers() {
  for (auto& header : list) crypto::wipe(header.value.data(), header.value.size());
  crypto::wipe(start.data(), start.size());
}

loop::Task<Result<void>> HttpPeer::open(loop::Scope& scope) {
  if (open_) co_return Result<void>();
  Function<loop::Task<Result<void>>()> start = [this] { return negotiate(); };
  auto task = opening_.join(group_, std::move(start), scope);
  auto result = co_await task;
  co_return result;
}

loop::Task<Result<void>> HttpPeer::negotiate() {
  loop::Scope scope(group_.scope());
  loop::Deadline deadline(loop_, scope, options_.open_ms, Error(Status::timeout, options_.label + ": the server did not answer in time"));
  bool modern = false;
  if (options_.era != EraChoice::legacy) {
    auto task = probe_modern(scope);
    MCPT_CO_TRY(modern, co_await task);
    if (!modern && options_.era == EraChoice::modern) {
      co_return fail(Status::protocol, options_.label + ": the server does not speak " + std::string(kModernRevision));
    }
  }
  if (!modern) {
    auto task = initialize(scope);
    MCPT_CO_CHECK(co_await task);
  }
  open_ = true;
  co_return Result<void>();
}

// Refusals of identity and server failures say nothing about the era; other 4xx answers are a legacy server's.
loop::Task<Result<bool>> HttpPeer::probe_modern(loop::Scope& scope) {
  std::string params = discover_params(options_.identity);
  std::vector<std::string_view> pieces{params};
  Call call("server/discover", pieces);
  auto task = post_modern(call, nullptr, scope);
  MCPT_CO_TRY(auto answer, co_await task);
  if (answer.status == 401 || answer.status == 403 || answer.status >= 500) co_return fail(refused(answer));
  if (!answer.message) {
    if (answer.status >= 300 && answer.status < 400) co_return fail(refused(answer));
    co_return false;
  }
  MCPT_CO_TRY(auto era, judge_discover(*answer.message));
  if (era == Era::legacy) co_return false;
  if (answer.message->kind() != MessageKind::result) co_return fail(answer.message->to_error().in("server/discover"));
  MCPT_CO_TRY(info_, read_discover_result(*answer.message));
  co_return true;
}

// A server that refuses the one revision we speak and names it as served all the same is asked once more: it has not run it.
loop::Task<Result<HttpPeer::Answer>> HttpPeer::post_modern(Call call, Events* events, loop::Scope& scope) {
  for (int attempt = 0;; ++attempt) {
    auto task = post(call, Era::modern, events, scope);
    MCPT_CO_TRY(auto answer, co_await task);
    const bool refused = answer.message && answer.message->kind() == MessageKind::error &&
                         answer.message->to_error().rpc == rpc::kUnsupportedVersion;
    if (attempt > 0 || !refused || judge_discover(*answer.message).value_or(Era::legacy) != Era::modern) co_return answer;
  }
}

loop::Task<Result<void>> HttpPeer::initialize(loop::Scope& scope) {
  info_.session_id.clear();
  session_headers_.reset();
  std::string params = initialize_params(options_.identity, kNewestLegacyRevision);
  std::vector<std::string_view> pieces{params};
  Call call("initialize", pieces);
  auto task = post(call, Era::legacy, nullptr, scope);
  MCPT_CO_TRY(auto answer, co_await task);
  if (!answer.message) co_return fail(refused(answer));
  std::string session = std::exchange(info_.session_id, {});  // post() stores what the answer's head said
  auto info = read_initialize_result(*answer.message);
  if (!info) co_return fail(std::move(info).error().in(options_.label));
  info_ = *std::move(info);
  info_.session_id = std::move(session);
  session_headers_.reset();
  auto ready = send_message(notification("notifications/initialized", ""));
  MCPT_CO_CHECK(co_await ready);
  co_return Result<void>();
}

// Params are made for an era, down to what they say of themselves.
Error HttpPeer::changed() const {
  return Error(Status::protocol,
               options_.label + ": the server speaks revision " + info_.revision + " now: repeat the call, which did not run");
}

loop::Task<Result<Message>> HttpPeer::call(Call call, Events* caller, loop::Scope& scope) {
  std::optional<OwnProgress> own;
  if (caller) own.emplace(call.progress_token, caller);
  Events* events = own ? &*own : nullptr;
  const Era era = info_.era;
  for (int attempt = 0;; ++attempt) {
    if (!open_) {  // another call has found the session gone: wait for the new one
      auto opening = open(scope);
      MCPT_CO_CHECK(co_await opening);
    }
    if (info_.era != era) co_return fail(changed());
    std::string session = info_.session_id;
    auto task = era == Era::modern ? post_modern(call, events, scope) : post(call, Era::legacy, events, scope);
    MCPT_CO_TRY(auto answer, co_await task);
    const bool forgotten = !session.empty() && answer.denies_session;
    if (forgotten && attempt == 0) lose_session(session);
    else if (answer.message) co_return *std::move(answer.message);
    else co_return fail(refused(answer));
  }
}

// The next call begins another one. A server may keep the stream of a session that it has forgotten: whoever listens there would
// hear nothing for ever. In a turn of its own, because who hears of it may do anything.
void HttpPeer::lose_session(const std::string& session) {
  if (info_.session_id != session) return;
  open_ = false;
  auto lost = std::exchange(session_, std::make_shared<loop::Scope>());
  loop_.defer([lost, reason = Error(Status::network, options_.label + ": the server has forgotten the session")] { lost->cancel(reason); });
}

std::vector<http::Header> HttpPeer::headers_for(Era era, std::string_view method, std::string_view name) const {
  std::vector<http::Header> headers = {{"Content-Type", "application/json"}, {"Accept", "application/json, text/event-stream"}};
  if (era == Era::modern) {
    headers.push_back({"MCP-Protocol-Version", std::string(kModernRevision)});
    if (!method.empty()) headers.push_back({"Mcp-Method", encode_header(method)});
    if (!name.empty()) headers.push_back({"Mcp-Name", encode_header(name)});
  } else if (method != "initialize" && !info_.revision.empty()) {
    headers.push_back({"MCP-Protocol-Version", info_.revision});
    if (!info_.session_id.empty()) headers.push_back({"Mcp-Session-Id", info_.session_id});
  }
  headers.insert(headers.end(), options_.headers.begin(), options_.headers.end());
  return headers;
}

// Calls of a legacy session differ in their bodies alone.
Result<std::shared_ptr<const HttpPeer::Headers>> HttpPeer::session_headers() {
  if (session_headers_) return session_headers_;
  auto headers = std::make_shared<Headers>(headers_for(Era::legacy, "", ""));
  http::Request request;
  request.method = "POST";
  request.url = &options_.url;
  request.headers = headers->list;
  MCPT_CHECK(http::check_request(request));
  http::write_request_start(request, headers->start);
  session_headers_ = headers;
  return headers;
}

loop::Task<Result<HttpPeer::Answer>> HttpPeer::post(Call call, Era era, Events* events, loop::Scope& scope) {
  Sent sent;
  sent.id = std::to_string(++next_id_);
  sent.head = request_head(sent.id, call.method, !call.params.empty());
  sent.body.reserve(call.params.size() + 2);
  sent.body.push_back(sent.head);
  sent.body.insert(sent.body.end(), call.params.begin(), call.params.end());
  sent.body.push_back("}");
  http::Request request;
  request.method = "POST";
  if (era == Era::legacy && open_) {
    MCPT_CO_TRY(sent.headers, session_headers());
    request.start = sent.headers->start;
  } else {
    auto headers = headers_for(era, call.method, call.name);
    if (era == Era::modern) headers.insert(headers.end(), call.headers.begin(), call.headers.end());
    sent.headers = std::make_shared<const Headers>(std::move(headers));
  }
  request.url = &options_.url;
  request.headers = sent.headers->list;
  request.body = sent.body;
  bool opening = call.method == "initialize";

  loop::Stage all_written(loop_);  // what goes to servers in this turn
  co_await all_written;
  if (scope.cancelled()) co_return fail(scope.reason());  // before the server has heard of it
  auto sending = client_.send(request, does_no_harm(call.method) ? harmless_ : options_.http, options_.pool_key, scope);
  auto exchange = co_await sending;
  if (!exchange) {
    // Legacy: the server may be working on it already, and a closed connection does not tell it to stop.
    if (scope.cancelled() && era == Era::legacy && !opening) {
      notify(cancellation(sent.id, scope.reason()));
    }
    if (scope.cancelled()) co_return fail(std::move(exchange).error());  // whose text names the server
    co_return fail(std::move(exchange).error().in(options_.label));
  }
  note_challenge((*exchange)->head());
  if (opening) {
    const std::string_view* session = (*exchange)->head().find("mcp-session-id");
    info_.session_id = session ? std::string(*session) : std::string();
  }
  auto reading = read_answer(**exchange, sent.id, events, scope);
  auto answer = co_await reading;
  if (answer) {
    if (!(*exchange)->complete()) {
      auto rest = drain(std::move(*exchange));
      group_.spawn(std::move(rest));
    }
  } else if (scope.cancelled() && era == Era::legacy && !opening) {
    notify(cancellation(sent.id, scope.reason()));
  }
  exchange->reset();            // whoever comes next in this turn is to find the connection
  loop::Stage all_read(loop_);  // what servers have answered in this turn
  co_await all_read;
  co_return answer;
}

void HttpPeer::notify(std::string message) {
  ++notes_;
  auto task = send_message(std::move(message));
  group_.spawn(std::move(task), [this](Result<void>) { taken(notes_); });
}

void HttpPeer::reply_to_server(std::string message) {
  if (replies_ >= kMostReplies) return;
  ++replies_;
  auto task = send_message(std::move(message));
  group_.spawn(std::move(task), [this](Result<void>) { taken(replies_); });
}

void HttpPeer::taken(size_t& count) {
  --count;
  if (messages() == 0) settled_.resolve({});
}

loop::Task<Result<void>> HttpPeer::settle(loop::Scope& scope) {
  while (messages() > 0) {
    MCPT_CO_CHECK(co_await settled_.wait(scope));
  }
  co_return Result<void>();
}

loop::Task<Result<void>> HttpPeer::send_message(std::string message) {
  loop::Scope scope(group_.scope());
  loop::Deadline deadline(loop_, scope, options_.open_ms,
                          Error(Status::timeout, options_.label + ": the server did not take a message in time"));
  std::vector<std::string_view> body{message};
  const std::string session = info_.session_id;
  auto headers = headers_for(info_.era, info_.era == Era::modern ? method_of(message) : "", "");
  http::Request request;
  request.method = "POST";
  request.url = &options_.url;
  request.headers = headers;
  request.body = body;
  auto sending = client_.send(request, options_.http, options_.pool_key, scope);
  MCPT_CO_TRY(auto exchange, co_await sending);
  auto reading = exchange->read_all(kErrorTextBytes * 4, scope);
  MCPT_CO_TRY(auto text, co_await reading);
  int status = exchange->head().status;
  note_challenge(exchange->head());
  if (!session.empty() && denies_session(exchange->head(), text)) lose_session(session);
  if (status >= 300) {
    Answer answer;
    answer.status = status;
    answer.text = text.substr(0, kErrorTextBytes);
    co_return fail(refused(answer));
  }
  co_return Result<void>();
}

loop::Task<Result<void>> HttpPeer::close(loop::Scope& scope) {
  if (!std::exchange(open_, false) || info_.session_id.empty()) co_return Result<void>();
  auto headers = headers_for(info_.era, "", "");
  info_.session_id.clear();
  http::Request request;
  request.method = "DELETE";
  request.url = &options_.url;
  request.headers = headers;
  auto sending = client_.send(request, options_.http, options_.pool_key, scope);
  MCPT_CO_TRY(auto exchange, co_await sending);
  note_challenge(exchange->head());
  int status = exchange->head().status;
  Answer answer;
  answer.status = status;
  if (status >= 300 && status != 404 && status != 405) co_return fail(refused(answer));
  co_return Result<void>();
}

}  // namespace mcptoken::mcp
