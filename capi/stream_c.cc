#include "mcptoken/stream.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "base/bytes.h"
#include "capi/blocking.h"
#include "capi/handles.h"
#include "http/sse.h"
#include "mcp/header.h"
#include "mcp/message.h"
#include "mcptoken/version.h"

using namespace mcptoken;
using namespace mcptoken::capi;

namespace {

// One request and what has come of its answer. The pump runs only while the caller waits, and goes on when the piece
// before was taken: what the caller does not ask for stays in the socket.
struct Running {
  std::string method, body;
  std::vector<http::Header> headers;
  std::vector<std::string_view> pieces;
  int status = 0;
  std::vector<http::Header> answer_headers;
  bool head_told = false, ended = false;
  std::optional<std::string> piece;
  std::optional<Error> error;
  loop::Completion<int> came;   // wakes the caller
  loop::Completion<int> taken;  // wakes the pump
  loop::Group group;
};

}  // namespace

struct mcptoken_stream {
  std::unique_ptr<Blocking> blocking;
  http::Url url;
  crypto::Secret bearer;
  std::unique_ptr<Running> running;
  std::optional<http::SseReader> events;
  std::string unread, event_type, event_id;  // `unread`: of a piece that holds more than one event
};

namespace {

loop::Task<Result<void>> pump(mcptoken_stream& stream, Running& run, loop::Scope& scope) {
  http::Request request;
  request.method = run.method;
  request.url = &stream.url;
  request.headers = run.headers;
  request.body = run.pieces;
  http::Options options = Blocking::options();
  options.repeatable = run.method == "GET";
  std::string pool = "stream";
  auto sending = stream.blocking->http().send(request, options, pool, scope);
  MCPT_CO_TRY(auto exchange, co_await sending);
  run.status = exchange->head().status;
  for (const http::Field& field : exchange->head().headers)
    run.answer_headers.push_back({std::string(field.name), std::string(field.value)});
  if (exchange->head().has_content_type("text/event-stream")) stream.events.emplace();
  run.came.resolve(0);
  for (;;) {
    auto reading = exchange->read(scope);
    MCPT_CO_TRY(std::string_view piece, co_await reading);
    if (piece.empty()) co_return Result<void>();
    run.piece = std::string(piece);
    run.came.resolve(0);
    auto waiting = run.taken.wait(scope);
    MCPT_CO_TRY([[maybe_unused]] int taken, co_await waiting);
  }
}

// True when there is something to tell without waiting.
Result<bool> next_event(mcptoken_stream& stream, std::string& data) {
  http::SseEvent event;
  std::string_view rest = stream.unread;
  MCPT_TRY(const bool found, stream.events->next(rest, event));
  if (found) {
    data = std::string(event.data);
    stream.event_type = std::string(event.event);
    stream.event_id = std::string(event.id);
  }
  stream.unread.erase(0, stream.unread.size() - rest.size());
  return found;
}

struct Told {
  int32_t what = MCPTOKEN_STREAM_NOTHING;
  std::string data;
};

Result<Told> look(mcptoken_stream& stream) {
  Running& run = *stream.running;
  Told told;
  if (run.status != 0 && !run.head_told) {
    run.head_told = true;
    told.what = MCPTOKEN_STREAM_HEAD;
    return told;
  }
  if (stream.events) {
    MCPT_TRY(const bool found, next_event(stream, told.data));
    if (found) {
      told.what = MCPTOKEN_STREAM_EVENT;
      return told;
    }
  }
  if (run.piece) {
    std::string piece = *std::exchange(run.piece, std::nullopt);
    if (stream.events) {
      stream.unread = std::move(piece);
      run.taken.resolve(0);
      return look(stream);
    }
    told.what = MCPTOKEN_STREAM_DATA;
    told.data = std::move(piece);
    run.taken.resolve(0);
    return told;
  }
  if (run.ended && run.error) return fail(*run.error);
  if (run.ended) told.what = MCPTOKEN_STREAM_END;
  return told;
}

loop::Task<Result<int>> something(Running& run, loop::Scope& scope) {
  auto waiting = run.came.wait(scope);
  co_return co_await waiting;
}

Result<Told> next(mcptoken_stream& stream, int64_t timeout_ms) {
  const int64_t end = stream.blocking->loop().now_ms() + std::clamp<int64_t>(timeout_ms, 1, kLongestMs);
  for (;;) {
    MCPT_TRY(Told told, look(stream));
    if (told.what != MCPTOKEN_STREAM_NOTHING) return told;
    const int64_t left = end - stream.blocking->loop().now_ms();
    if (left <= 0) return told;
    Running& run = *stream.running;
    auto woken = stream.blocking->run<int>(left, [&](loop::Scope& scope) { return something(run, scope); });
    if (!woken && woken.error().status != Status::timeout) return fail(std::move(woken).error());
  }
}

Result<void> begin(mcptoken_stream& stream, std::string_view method, std::vector<http::Header> headers,
                   std::string_view body) {
  auto run = std::make_unique<Running>();
  run->method = method;
  run->body = body;
  if (!body.empty()) run->pieces.push_back(run->body);
  const auto has = [&](std::string_view name) {
    return std::any_of(headers.begin(), headers.end(),
                       [&](const http::Header& header) { return equals_ignoring_case(header.name, name); });
  };
  if (has("authorization"))
    return fail(Status::invalid, "request: header Authorization cannot be set, it is of the stream's bearer");
  if (!has("user-agent")) run->headers.push_back({"User-Agent", "libmcptoken/" MCPTOKEN_VERSION});
  if (!stream.bearer.empty())
    run->headers.push_back({"Authorization", "Bearer " + std::string(stream.bearer.reveal())});
  run->headers.insert(run->headers.end(), std::make_move_iterator(headers.begin()),
                      std::make_move_iterator(headers.end()));
  http::Request request;
  request.method = run->method;
  request.url = &stream.url;
  request.headers = run->headers;
  MCPT_CHECK(http::check_request(request));
  stream.running.reset();              // ends the answer before
  stream.blocking->loop().run_once();  // sees that the kept connection was closed meanwhile: nothing is sent into it
  stream.events.reset();
  stream.unread.clear();
  stream.event_type.clear();
  stream.event_id.clear();
  stream.running = std::move(run);
  Running& started = *stream.running;
  started.group.spawn(pump(stream, started, started.group.scope()), [&started](Result<void> result) {
    started.ended = true;
    if (!result) started.error = std::move(result).error();
    started.came.resolve(0);
  });
  return {};
}

std::vector<http::Header> headers_of(const mcptoken_header* headers, size_t count) {
  std::vector<http::Header> out;
  for (size_t i = 0; i < count; ++i)
    out.push_back({headers[i].name, headers[i].value});
  return out;
}

// What Streamable HTTP wants beside the message (2025-11-25 and 2026-07-28, transports).
Result<std::vector<http::Header>> message_headers(std::string_view text) {
  std::vector<http::Header> headers = {{"Content-Type", "application/json"},
                                       {"Accept", "application/json, text/event-stream"}};
  MCPT_TRY(const auto message, mcp::Message::parse(std::string(text), mcp::Origin::client));
  if (!message.is_call()) return headers;
  MCPT_TRY(const auto meta, mcp::read_client_meta(message));
  if (!meta.protocol_version) return headers;
  headers.push_back({"MCP-Protocol-Version", mcp::encode_header(*meta.protocol_version)});
  headers.push_back({"Mcp-Method", mcp::encode_header(message.method())});
  const std::string_view member = mcp::named_member(message.method());
  if (member.empty()) return headers;
  if (const auto name = message.string_param(member)) headers.push_back({"Mcp-Name", mcp::encode_header(*name)});
  return headers;
}

}  // namespace

extern "C" {

mcptoken_status mcptoken_stream_new(const char* url, const char* bearer, size_t bearer_size,
                                    mcptoken_stream** stream_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(stream_out);
    MCPT_CHECK(require(stream_out, "stream_out"));
    MCPT_CHECK(require(url, "url"));
    auto stream = std::make_unique<mcptoken_stream>();
    MCPT_TRY(stream->url, http::parse_url(url));
    MCPT_TRY(stream->blocking, Blocking::create());
    if (bearer_size > 0) stream->bearer = crypto::Secret(view(bearer, bearer_size));
    *stream_out = stream.release();
    return {};
  });
}

void mcptoken_stream_free(mcptoken_stream* stream) {
  guard(nullptr, [&] { return release(stream); });
}

mcptoken_status mcptoken_stream_send(mcptoken_stream* stream, const char* method, const mcptoken_header* headers,
                                     size_t header_count, const char* body, size_t body_size,
                                     mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    MCPT_CHECK(require(stream, "stream"));
    MCPT_CHECK(require(method, "method"));
    MCPT_CHECK(check_headers(headers, header_count));
    return alone(stream, [&] { return begin(*stream, method, headers_of(headers, header_count), view(body, body_size)); });
  });
}

mcptoken_status mcptoken_stream_send_message(mcptoken_stream* stream, const char* message, size_t message_size,
                                             const mcptoken_header* headers, size_t header_count,
                                             mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    MCPT_CHECK(require(stream, "stream"));
    MCPT_CHECK(check_headers(headers, header_count));
    MCPT_TRY(auto all, message_headers(view(message, message_size)));
    for (http::Header& header : headers_of(headers, header_count))
      all.push_back(std::move(header));
    return alone(stream, [&] { return begin(*stream, "POST", std::move(all), view(message, message_size)); });
  });
}

mcptoken_status mcptoken_stream_next(mcptoken_stream* stream, int64_t timeout_ms, int32_t* what_out,
                                     mcptoken_bytes** data_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(data_out);
    MCPT_CHECK(require(stream, "stream"));
    MCPT_CHECK(require(what_out, "what_out"));
    MCPT_CHECK(require(data_out, "data_out"));
    *what_out = MCPTOKEN_STREAM_NOTHING;
    return alone(stream, [&]() -> Result<void> {
      if (!stream->running) return fail(Status::misuse, "no request is under way");
      MCPT_TRY(Told told, next(*stream, timeout_ms));
      *what_out = told.what;
      if (told.what == MCPTOKEN_STREAM_DATA || told.what == MCPTOKEN_STREAM_EVENT)
        *data_out = new_bytes(std::move(told.data));
      return {};
    });
  });
}

int32_t mcptoken_stream_status(const mcptoken_stream* stream) {
  return guard_value(0, [&] { return stream && stream->running ? stream->running->status : 0; });
}

const char* mcptoken_stream_header(const mcptoken_stream* stream, const char* name) {
  return guard_value("", [&]() -> const char* {
    if (!stream || !stream->running || !name) return "";
    for (const http::Header& header : stream->running->answer_headers) {
      if (equals_ignoring_case(header.name, name)) return header.value.c_str();
    }
    return "";
  });
}

const char* mcptoken_stream_event_type(const mcptoken_stream* stream) {
  return guard_value("", [&] { return stream ? stream->event_type.c_str() : ""; });
}
const char* mcptoken_stream_event_id(const mcptoken_stream* stream) {
  return guard_value("", [&] { return stream ? stream->event_id.c_str() : ""; });
}

}  // extern "C"
