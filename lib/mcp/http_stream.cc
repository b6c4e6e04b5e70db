// How an HttpPeer reads event streams: those of answers, which may be taken up again, and the stream of what belongs to no call.
#include <algorithm>

#include "base/bytes.h"
#include "base/limits.h"
#include "http/sse.h"
#include "mcp/http_answer.h"
#include "mcp/http_peer.h"
#include "mcp/rewrite.h"

namespace mcptoken::mcp {
namespace {

constexpr int kBarrenStreams = 5;  // in a row that brought no new event, then we give up

// Ends what runs in one scope with another.
class EndsWith final : loop::Scope::Hook {
 public:
  EndsWith(loop::Scope& other, loop::Scope& scope) : scope_(scope) { attach(other); }

 private:
  void on_cancel(const Error& reason) override { scope_.cancel(reason); }
  loop::Scope& scope_;
};

}  // namespace

void HttpPeer::Place::note(const http::SseReader& reader) {
  if (!reader.last_id().empty()) last_id = reader.last_id();
  if (reader.retry_ms()) retry_ms = std::clamp<int64_t>(*reader.retry_ms(), 0, limits::kAskMs);
}

loop::Task<Result<HttpPeer::Answer>> HttpPeer::read_stream(http::Exchange& exchange, const std::string& id, Events* events,
                                                          loop::Scope& scope) {
  Place place;
  auto first = read_events(exchange, id, events, place, scope);
  auto answer = co_await first;
  while (!answer && may_resume(answer.error(), place, scope)) {
    const std::string before = place.last_id;
    auto again = resume(id, events, place, scope);
    answer = co_await again;
    place.barren = place.last_id == before ? place.barren + 1 : 0;
  }
  co_return answer;
}

// Only a legacy server's streams can be taken up again, and only where an event had an id (2025-11-25, resumability).
bool HttpPeer::may_resume(const Error& error, const Place& place, const loop::Scope& scope) const {
  const bool broken = error.status == Status::network || error.status == Status::unavailable || error.http >= 500;
  return broken && info_.era == Era::legacy && !place.last_id.empty() && place.barren < kBarrenStreams && !scope.cancelled();
}

// Waits as long as the server has said, then goes on behind the last event.
loop::Task<Result<HttpPeer::Answer>> HttpPeer::resume(const std::string& id, Events* events, Place& place, loop::Scope& scope) {
  loop::Sleep pause(loop_, place.retry_ms);
  MCPT_CO_CHECK(co_await pause.wait(scope));
  const std::string session = info_.session_id;
  auto headers = stream_headers();
  headers.push_back({"Last-Event-ID", place.last_id});
  const auto request = stream_request(headers);
  auto sending = client_.send(request, options_.http, options_.pool_key, scope);
  auto exchange = co_await sending;
  if (!exchange) co_return fail(labelled(std::move(exchange).error(), options_.label, scope));
  const http::Response& head = (*exchange)->head();
  note_challenge(head);
  if (head.status == 404 && !session.empty()) lose_session(session);
  if (head.status == 401 || head.status == 403 || head.status >= 500) {
    Answer answer;
    answer.status = head.status;
    co_return fail(refused(answer));
  }
  if (head.status != 200 || !head.has_content_type(kEventStream))
    co_return fail(Status::protocol, options_.label + ": the server ended the stream before it answered, and cannot resume it");
  auto reading = read_events(**exchange, id, events, place, scope);
  auto answer = co_await reading;
  co_return answer;
}

// One connection's part of a stream.
loop::Task<Result<HttpPeer::Answer>> HttpPeer::read_events(http::Exchange& exchange, const std::string& id, Events* events,
                                                          Place& place, loop::Scope& scope) {
  http::SseReader reader;
  http::SseEvent event;
  for (;;) {
    auto reading = exchange.read(scope);
    auto piece = co_await reading;
    if (!piece) co_return fail(labelled(std::move(piece).error(), options_.label, scope));
    if (piece->empty())
      co_return fail(Status::network, options_.label + ": the server ended the stream before it answered");
    std::string_view bytes = *piece;
    for (;;) {
      const auto complete = reader.next(bytes, event);
      if (!complete) co_return fail(Error(complete.error()).in(options_.label));
      place.note(reader);
      if (!*complete) break;
      if (event.data.empty() || event.event != "message")
        continue;  // priming events of 2025-11-25, and what is none of MCP
      auto message = take_event(event.data, id, events, scope);
      if (scope.cancelled()) co_return fail(scope.reason());
      if (!message) co_return fail(std::move(message).error());
      if (!*message) continue;
      Answer answer;
      answer.status = 200;
      answer.message = **std::move(message);
      co_return answer;
    }
  }
}

http::Request HttpPeer::stream_request(const std::vector<http::Header>& headers) const {
  http::Request request;
  request.method = "GET";
  request.url = &options_.url;
  request.headers = headers;
  return request;
}

std::vector<http::Header> HttpPeer::stream_headers() const {
  auto headers = headers_for(Era::legacy, "", "");
  headers.erase(headers.begin());  // no body
  headers.front().value = "text/event-stream";
  return headers;
}

// A server without such a stream sends what it has to say along with its answers.
loop::Task<Result<void>> HttpPeer::listen(Function<void()> on_open, loop::Scope& caller) {
  auto opening = open(caller);
  MCPT_CO_CHECK(co_await opening);
  loop::Scope scope(caller);
  EndsWith session_end(*session_, scope);
  std::string session = info_.session_id;
  auto headers = stream_headers();
  const auto request = stream_request(headers);
  auto sending = client_.send(request, options_.http, options_.pool_key, scope);
  auto exchange = co_await sending;
  if (!exchange) co_return fail(labelled(std::move(exchange).error(), options_.label, scope));
  int status = (*exchange)->head().status;
  note_challenge((*exchange)->head());
  if (status == 405) {
    exchange->reset();
    on_open();
    loop::Completion<void> never;
    auto ended = co_await never.wait(scope);
    co_return ended;
  }
  if (status != 200 || !(*exchange)->head().has_content_type(kEventStream)) {
    if (status == 404 && !session.empty()) lose_session(session);
    Answer answer;
    answer.status = status;
    co_return fail(refused(answer));
  }
  on_open();
  Place place;  // what was missed meanwhile is told by whoever listens again, so this one is not resumed
  auto reading = read_events(**exchange, "", nullptr, place, scope);
  auto ended = co_await reading;
  if (!ended) co_return fail(std::move(ended).error());
  co_return fail(Status::network, options_.label + ": the server has ended its stream");
}

void HttpPeer::dispatch(Message message, Events* events) {
  if (!events) events = stream_events_;
  if (message.kind() == MessageKind::request) {
    auto reply = [this, alive = std::weak_ptr<int>(alive_)](std::string text) {
      if (alive.lock()) reply_to_server(std::move(text));
    };
    if (message.method() == "ping") return reply(result_message(message.id(), "{}"));
    if (events) return events->on_request(std::move(message), std::move(reply));
    // Nobody knows for whom the server asks: what belongs to a call is on that call's stream (2025-11-25, Streamable HTTP).
    // Whoever has the session to himself takes such requests.
    options_.log.info(options_.label + ": refused " + std::string(message.method()) + ", which belongs to no call");
    Error reason(Status::not_supported, "what is asked for a call must be asked on the stream of that call");
    return reply(error_message(message.id(), std::move(reason).with_rpc(rpc::kMethodNotFound)));
  }
  if (events && belongs_to_call(message.method())) return events->on_notification(std::move(message));
  if (options_.on_unrelated) options_.on_unrelated(std::move(message));
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

}  // namespace mcptoken::mcp
