// What one POST of an HttpPeer came to: an answer as JSON or in a stream, or the reason why there is none.
#include "mcp/http_answer.h"

#include "base/bytes.h"
#include "base/limits.h"
#include "mcp/batch.h"
#include "mcp/http_peer.h"
#include "mcp/unreadable.h"

namespace mcptoken::mcp {
namespace {

constexpr const char* kNoResponse = ": the answer is not a JSON-RPC response to the request";

json::ReadLimits body_limits() { return server_limits(limits::kUpstreamBodyBytes); }

// What servers say in place of 404 that look their sessions up themselves, as the reference servers do: 400 with an error that answers no
// request, because none was read, and that is about the session.
bool is_about_session(int status, const Message& message) {
  return status == 400 && message.error() && !message.id_node() &&
         lower(message.to_error().message).find("session") != std::string::npos;
}

}  // namespace

bool denies_session(const http::Response& head, std::string_view body) {
  if (head.status == 404) return true;
  if (head.status != 400 || !head.has_content_type(kJson)) return false;
  auto message = Message::parse(std::string(body), Origin::server, body_limits());
  return message && is_about_session(head.status, *message);
}

Error labelled(Error error, const std::string& label, const loop::Scope& scope) {
  return scope.cancelled() ? std::move(error) : std::move(error).in(label);
}

// Of what came for the call `id` the answer; what the server says beside it is passed on. An error that answers no request is about
// one that could not be read, and so about ours.
std::optional<Message> HttpPeer::take(Message message, const std::string& id, Events* events) {
  if (message.is_call()) {
    dispatch(std::move(message), events);
    return std::nullopt;
  }
  const bool of_none = !id.empty() && message.error() && !message.id_node();
  if (message.id() != id && !of_none) return std::nullopt;
  return message;
}

std::optional<Message> HttpPeer::take_batch(std::string_view text, const std::string& id, Events* events, const loop::Scope& scope) {
  std::optional<Message> answer;
  for (auto& message : read_batch(text)) {
    auto taken = take(std::move(message), id, events);
    if (taken && !answer) answer = std::move(taken);
    if (scope.cancelled()) break;  // by who was told
  }
  return answer;
}

// An error: it is the answer, and nobody can read it.
Result<std::optional<Message>> HttpPeer::take_event(std::string_view data, const std::string& id, Events* events,
                                                    const loop::Scope& scope) {
  if (is_batch(data) && info_.revision == kBatchRevision) return take_batch(data, id, events, scope);
  auto message = Message::parse(std::string(data), Origin::server, body_limits());
  if (message) return take(*std::move(message), id, events);
  options_.log.warn(options_.label + ": an event is not a JSON-RPC message");
  const auto asked = answered_by(data);
  if (asked && std::to_string(*asked) == id) return fail(Status::protocol, options_.label + kNoResponse);
  return std::nullopt;
}

// Of a whole body.
std::optional<Message> HttpPeer::take_body(std::string body, const std::string& id, Events* events, const loop::Scope& scope) {
  if (is_batch(body) && info_.revision == kBatchRevision) return take_batch(body, id, events, scope);
  auto message = Message::parse(std::move(body), Origin::server, body_limits());
  if (!message || message->is_call() || (message->id() != id && message->kind() != MessageKind::error)) return std::nullopt;
  return *std::move(message);
}

loop::Task<Result<HttpPeer::Answer>> HttpPeer::read_answer(http::Exchange& exchange, const std::string& id, Events* events,
                                                          loop::Scope& scope) {
  const http::Response& head = exchange.head();
  const bool is_json = head.has_content_type(kJson);
  if (!is_json && head.has_content_type(kEventStream)) {
    auto task = head.status == 200 ? read_stream(exchange, id, events, scope) : read_refusal(exchange, id, events, scope);
    auto streamed = co_await task;
    co_return streamed;
  }
  Answer answer;
  answer.status = head.status;
  auto reading = exchange.read_all(limits::kUpstreamBodyBytes, scope);
  auto body = co_await reading;
  if (!body) co_return fail(labelled(std::move(body).error(), options_.label, scope));
  if (answer.status >= 400 || !is_json) answer.text = body->substr(0, kErrorTextBytes);
  if (is_json) {
    answer.message = take_body(std::move(*body), id, events, scope);
    if (!answer.message && answer.status == 200)
      co_return fail(Status::protocol, options_.label + kNoResponse);
  }
  judge(answer);
  co_return answer;
}

// A stream that begins with an error: its answer, or else its status, is what the call came to.
loop::Task<Result<HttpPeer::Answer>> HttpPeer::read_refusal(http::Exchange& exchange, const std::string& id, Events* events,
                                                           loop::Scope& scope) {
  Place place;
  auto reading = read_events(exchange, id, events, place, scope);
  auto answer = co_await reading;
  if (!answer && scope.cancelled()) co_return fail(std::move(answer).error());
  if (!answer) answer = Answer();
  answer->status = exchange.head().status;
  judge(*answer);
  co_return answer;
}

// The gateway's own identity was refused: that is not an answer to the client's request.
void HttpPeer::judge(Answer& answer) const {
  answer.denies_session = answer.status == 404 || (answer.message && is_about_session(answer.status, *answer.message));
  const bool of_others = answer.status == 404 && !info_.session_id.empty();
  // Somebody between us and the server may have said either.
  const bool contradicts = answer.status >= 300 && answer.message && answer.message->kind() == MessageKind::result;
  if (answer.status == 401 || answer.status == 403 || of_others || contradicts) answer.message.reset();
}

void HttpPeer::note_challenge(const http::Response& head) {
  if (head.status != 401 && head.status != 403) return;
  challenge_.clear();
  for (auto& field : head.headers) {
    if (!equals_ignoring_case(field.name, "www-authenticate")) continue;
    challenge_.append(challenge_.empty() ? "" : ", ").append(field.value);
  }
}

// Texts of upstreams reach people, so the server is named by its alias, and what it said is kept short.
Error HttpPeer::refused(const Answer& answer) const {
  const bool says_ok = answer.status >= 200 && answer.status < 300;
  const Status status = answer.status == 401   ? Status::unauthenticated
                        : answer.status == 403 ? Status::denied
                        : says_ok              ? Status::protocol
                                               : Status::remote;
  std::string message = options_.label + ": the server answered HTTP " + std::to_string(answer.status);
  if (answer.status >= 300 && answer.status < 400) message += " (redirects are not followed)";
  if (says_ok) message += " without a JSON-RPC response to the request";
  auto error = Error(status, message).with_http(answer.status);
  error.data = answer.text;
  return error;
}

}  // namespace mcptoken::mcp
