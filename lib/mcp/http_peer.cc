#include "mcp/http_peer.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "crypto/secret.h"
#include "http/sse.h"
#include "mcp/header.h"
#include "mcp/rewrite.h"

namespace mcptoken::mcp {
namespace {

constexpr size_t kErrorTextBytes = 4096;  // a gateway's refusal as JSON fits, with its hint and request id

bool is_media_type(const http::Response& head, std::string_view type) {
  const std::string_view* value = head.find("content-type");
  if (!value) return false;
  return equals_ignoring_case(trim(value->substr(0, value->find(';'))), type);
}

json::ReadLimits body_limits() {
  json::ReadLimits limits;
  limits.bytes = limits::kUpstreamBodyBytes;
  return limits;
}

}  // namespace

HttpPeer::HttpPeer(loop::Loop& loop, http::Client& client, HttpOptions options)
    : loop_(loop), client_(client), options_(std::move(options)) {}

HttpPeer::~HttpPeer() {
  alive_.reset();
  for (auto& header : options_.headers) crypto::wipe(header.value.data(), header.value.size());
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
  auto task = post(call, Era::modern, nullptr, scope);
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

loop::Task<Result<void>> HttpPeer::initialize(loop::Scope& scope) {
  info_ = PeerInfo();
  std::string params = initialize_params(options_.identity, kNewestLegacyRevision);
  std::vector<std::string_view> pieces{params};
  Call call("initialize", pieces);
  auto task = post(call, Era::legacy, nullptr, scope);
  MCPT_CO_TRY(auto answer, co_await task);
  if (!answer.message) co_return fail(refused(answer));
  std::string session = std::move(info_.session_id);  // post() stores what the answer's head said
  MCPT_CO_TRY(info_, read_initialize_result(*answer.message));
  info_.session_id = std::move(session);
  auto ready = send_message(notification("notifications/initialized", ""));
  MCPT_CO_CHECK(co_await ready);
  co_return Result<void>();
}

loop::Task<Result<Message>> HttpPeer::call(Call call, Events* events, loop::Scope& scope) {
  for (int attempt = 0;; ++attempt) {
    if (!open_) {  // another call has found the session gone: wait for the new one
      auto opening = open(scope);
      MCPT_CO_CHECK(co_await opening);
    }
    std::string session = info_.session_id;
    auto task = post(call, info_.era, events, scope);
    MCPT_CO_TRY(auto answer, co_await task);
    if (answer.message) co_return *std::move(answer.message);
    // 404 for our session: the server has forgotten it, and did not run the request (2025-11-25, session management).
    if (answer.status != 404 || session.empty() || attempt > 0) co_return fail(refused(answer));
    if (info_.session_id == session) open_ = false;
  }
}

std::vector<http::Header> HttpPeer::headers_for(Era era, std::string_view method, std::string_view name) const {
  std::vector<http::Header> headers = {{"Content-Type", "application/json"}, {"Accept", "application/json, text/event-stream"}};
  if (era == Era::modern) {
    headers.push_back({"MCP-Protocol-Version", std::string(kModernRevision)});
    headers.push_back({"Mcp-Method", encode_header(method)});
    if (!name.empty()) headers.push_back({"Mcp-Name", encode_header(name)});
  } else if (!info_.revision.empty()) {
    headers.push_back({"MCP-Protocol-Version", info_.revision});
    if (!info_.session_id.empty()) headers.push_back({"Mcp-Session-Id", info_.session_id});
  }
  headers.insert(headers.end(), options_.headers.begin(), options_.headers.end());
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
  sent.headers = headers_for(era, call.method, call.name);
  http::Request request;
  request.method = "POST";
  request.url = &options_.url;
  request.headers = sent.headers;
  request.body = sent.body;
  bool opening = call.method == "initialize";

  auto sending = client_.send(request, options_.http, options_.pool_key, scope);
  auto exchange = co_await sending;
  if (!exchange) {
    // Legacy: the server may be working on it already, and a closed connection does not tell it to stop.
    if (scope.cancelled() && era == Era::legacy && !opening) {
      notify(notification("notifications/cancelled", "{\"requestId\":" + sent.id + "}"));
    }
    co_return fail(std::move(exchange).error().in(options_.label));
  }
  if (opening) {
    const std::string_view* session = (*exchange)->head().find("mcp-session-id");
    info_.session_id = session ? std::string(*session) : std::string();
  }
  auto reading = read_answer(**exchange, sent.id, events, scope);
  auto answer = co_await reading;
  if (answer) {
    auto rest = drain(std::move(*exchange));
    group_.spawn(std::move(rest));
  } else if (scope.cancelled() && era == Era::legacy && !opening) {
    notify(notification("notifications/cancelled", "{\"requestId\":" + sent.id + "}"));
  }
  co_return answer;
}

loop::Task<Result<HttpPeer::Answer>> HttpPeer::read_answer(http::Exchange& exchange, const std::string& id, Events* events,
                                                          loop::Scope& scope) {
  if (is_media_type(exchange.head(), "text/event-stream") && exchange.head().status == 200) {
    auto task = read_stream(exchange, id, events, scope);
    auto streamed = co_await task;
    co_return streamed;
  }
  Answer answer;
  answer.status = exchange.head().status;
  auto reading = exchange.read_all(limits::kUpstreamBodyBytes, scope);
  auto body = co_await reading;
  if (!body) co_return fail(std::move(body).error().in(options_.label));
  if (is_media_type(exchange.head(), "application/json")) {
    std::string text = answer.status >= 400 ? *body : std::string();
    auto message = Message::parse(std::move(*body), Origin::server, body_limits());
    if (message && !message->is_call() && (message->id() == id || message->kind() == MessageKind::error)) {
      answer.message = *std::move(message);
      // The gateway's own identity was refused: that is not an answer to the client's request.
      if (answer.status == 401 || answer.status == 403) answer.message.reset();
      if (answer.status == 404 && answer.message && !info_.session_id.empty()) answer.message.reset();
    }
    answer.text = text.substr(0, kErrorTextBytes);
    if (!answer.message && answer.status == 200)
      co_return fail(Status::protocol, options_.label + ": the answer is not a JSON-RPC response to the request");
  } else {
    answer.text = body->substr(0, kErrorTextBytes);
  }
  co_return answer;
}

loop::Task<Result<HttpPeer::Answer>> HttpPeer::read_stream(http::Exchange& exchange, const std::string& id, Events* events,
                                                          loop::Scope& scope) {
  http::SseReader reader;
  http::SseEvent event;
  for (;;) {
    auto reading = exchange.read(scope);
    auto piece = co_await reading;
    if (!piece) co_return fail(std::move(piece).error().in(options_.label));
    if (piece->empty()) co_return fail(Status::network, options_.label + ": the server ended the stream before it answered");
    std::string_view bytes = *piece;
    for (;;) {
      MCPT_CO_TRY(bool complete, reader.next(bytes, event));
      if (!complete) break;
      if (event.data.empty()) continue;  // priming events of 2025-11-25
      auto message = Message::parse(std::string(event.data), Origin::server, body_limits());
      if (!message) {
        options_.log.warn(options_.label + ": an event is not a JSON-RPC message");
        continue;
      }
      if (message->is_call()) {
        dispatch(*std::move(message), events);
        if (scope.cancelled()) co_return fail(scope.reason());
        continue;
      }
      if (message->id() != id) continue;
      Answer answer;
      answer.status = 200;
      answer.message = *std::move(message);
      co_return answer;
    }
  }
}

// A server without such a stream sends what it has to say along with its answers.
loop::Task<Result<void>> HttpPeer::listen(Function<void()> on_open, loop::Scope& scope) {
  auto opening = open(scope);
  MCPT_CO_CHECK(co_await opening);
  std::string session = info_.session_id;
  auto headers = headers_for(Era::legacy, "", "");
  headers.erase(headers.begin());  // no body
  headers.front().value = "text/event-stream";
  http::Request request;
  request.method = "GET";
  request.url = &options_.url;
  request.headers = headers;
  auto sending = client_.send(request, options_.http, options_.pool_key, scope);
  auto exchange = co_await sending;
  if (!exchange) co_return fail(std::move(exchange).error().in(options_.label));
  int status = (*exchange)->head().status;
  if (status == 405) {
    exchange->reset();
    on_open();
    loop::Completion<void> never;
    auto ended = co_await never.wait(scope);
    co_return ended;
  }
  if (status != 200 || !is_media_type((*exchange)->head(), "text/event-stream")) {
    if (status == 404 && !session.empty() && info_.session_id == session) open_ = false;
    Answer answer;
    answer.status = status;
    co_return fail(refused(answer));
  }
  on_open();
  auto reading = read_stream(**exchange, "", nullptr, scope);
  auto ended = co_await reading;
  if (!ended) co_return fail(std::move(ended).error());
  co_return fail(Status::network, options_.label + ": the server has ended its stream");
}

void HttpPeer::dispatch(Message message, Events* events) {
  if (message.kind() == MessageKind::request) {
    auto reply = [this, alive = std::weak_ptr<int>(alive_)](std::string text) {
      if (alive.lock()) notify(std::move(text));
    };
    if (message.method() == "ping") return reply(result_message(message.id(), "{}"));
    if (events) return events->on_request(std::move(message), std::move(reply));
    return reply(error_message(
        message.id(), Error(Status::not_supported, "the client does not offer this").with_rpc(rpc::kMethodNotFound)));
  }
  bool of_call = belongs_to_call(message.method());
  if (of_call && events) events->on_notification(std::move(message));
  else if (!of_call && options_.on_unrelated) options_.on_unrelated(std::move(message));
}

void HttpPeer::notify(std::string message) {
  auto task = send_message(std::move(message));
  group_.spawn(std::move(task));
}

loop::Task<Result<void>> HttpPeer::send_message(std::string message) {
  loop::Scope scope(group_.scope());
  loop::Deadline deadline(loop_, scope, options_.open_ms,
                          Error(Status::timeout, options_.label + ": the server did not take a message in time"));
  std::vector<std::string_view> body{message};
  auto headers = headers_for(info_.era, "", "");
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
  if (status >= 300) {
    Answer answer;
    answer.status = status;
    answer.text = text.substr(0, kErrorTextBytes);
    co_return fail(refused(answer));
  }
  co_return Result<void>();
}

// Reads what follows the answer, so that the connection can be used again, without making the caller wait for it.
loop::Task<Result<void>> HttpPeer::drain(std::unique_ptr<http::Exchange> exchange) {
  loop::Scope scope(group_.scope());
  loop::Deadline deadline(loop_, scope, 1'000, Error(Status::timeout, "drain"));
  for (;;) {
    auto reading = exchange->read(scope);
    MCPT_CO_TRY(auto piece, co_await reading);
    if (piece.empty()) co_return Result<void>();
  }
}

loop::Task<Result<void>> HttpPeer::close(loop::Scope& scope) {
  if (!open_ || info_.session_id.empty()) co_return Result<void>();
  auto headers = headers_for(info_.era, "", "");
  http::Request request;
  request.method = "DELETE";
  request.url = &options_.url;
  request.headers = headers;
  auto sending = client_.send(request, options_.http, options_.pool_key, scope);
  MCPT_CO_TRY(auto exchange, co_await sending);
  open_ = false;
  int status = exchange->head().status;
  Answer answer;
  answer.status = status;
  if (status >= 300 && status != 404 && status != 405) co_return fail(refused(answer));
  co_return Result<void>();
}

// Texts of upstreams reach people, so the server is named by its alias, and what it said is kept short.
Error HttpPeer::refused(const Answer& answer) const {
  Status status = answer.status == 401 ? Status::unauthenticated : answer.status == 403 ? Status::denied : Status::remote;
  std::string message = options_.label + ": the server answered HTTP " + std::to_string(answer.status);
  if (answer.status >= 300 && answer.status < 400) message += " (redirects are not followed)";
  auto error = Error(status, message).with_http(answer.status);
  error.data = answer.text;
  return error;
}

}  // namespace mcptoken::mcp
