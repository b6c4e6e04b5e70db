#include "gateway/endpoint.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/limits.h"
#include "json/writer.h"
#include "mcp/batch.h"
#include "mcp/rewrite.h"

namespace mcptoken::gateway {
namespace {

constexpr size_t kLoggedMethod = 64;

bool is_json(std::string_view content_type) {
  return equals_ignoring_case(trim(content_type.substr(0, content_type.find(';'))), "application/json");
}

Headers json_headers() { return {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}}; }

// What the message says goes before what its carrier does.
mcp::Trace trace_of(const HttpRequest& request, const mcp::ClientMeta& meta) {
  auto trace = mcp::read_trace(meta.trace_parent, meta.trace_state);
  const auto parent = trace.parent.empty() ? request.header("traceparent") : std::nullopt;
  if (!parent) return trace;
  const auto state = request.header("tracestate");
  return mcp::read_trace(trim(*parent), state ? trim(*state) : std::string_view());
}

// What a request refused on the spot leaves to be done.
loop::Task<Result<void>> nothing_more() { co_return Result<void>(); }

loop::Task<Result<void>> serve_post(Exchange& exchange) {
  if (auto judged = judge_content_type(exchange.request.headers); !judged) {
    refuse(exchange, "null", judged.error(), judged.error().http);
    return nothing_more();
  }
  if (mcp::is_batch(exchange.request.body)) return serve_batch(exchange);
  std::string id;
  auto parsed = mcp::Message::parse(std::move(exchange.request.body), mcp::Origin::client, {}, &id);
  return serve_message(exchange, std::move(parsed), std::move(id));
}

}  // namespace

Result<void> judge_content_type(const http::Fields& headers) {
  bool repeated = false;
  const auto type = headers.find("content-type", &repeated);
  if (!repeated && type && is_json(*type)) return {};
  Error error(Status::invalid, "the content type must be application/json");
  return fail(std::move(error).with_rpc(mcp::rpc::kInvalidRequest).with_http(415));
}

Result<mcp::Era> era_by_header(const HttpRequest& request) {
  bool repeated = false;
  const auto version = request.header("mcp-protocol-version", &repeated);
  if (!repeated && (!version || mcp::is_legacy(*version))) return mcp::Era::legacy;
  if (!repeated && mcp::is_modern(*version)) return mcp::Era::modern;
  Error error(Status::invalid, "the MCP-Protocol-Version header is not one we serve");
  return fail(std::move(error).with_rpc(mcp::rpc::kInvalidRequest));
}

loop::Task<Result<void>> serve_message(Exchange& exchange, Result<mcp::Message> parsed, std::string id) {
  if (!parsed) {
    int http = parsed.error().http;
    refuse(exchange, id, parsed.error(), http ? http : 400);
    return nothing_more();
  }
  if (exchange.link.late && parsed->kind() == mcp::MessageKind::request) {
    refuse(exchange, parsed->id(), Error(Status::unavailable, "the server is shutting down"), 503);
    return nothing_more();
  }
  auto message = std::make_shared<const mcp::Message>(*std::move(parsed));
  auto meta = mcp::read_client_meta(*message);
  if (!meta) {
    refuse(exchange, message->id(), meta.error(), 400);
    return nothing_more();
  }
  exchange.link.method = message->method().substr(0, kLoggedMethod);
  exchange.link.trace = trace_of(exchange.request, *meta);
  if (message->is_call() && meta->protocol_version) return serve_modern(exchange, std::move(message), *std::move(meta));
  const auto era = era_by_header(exchange.request);
  if (era && *era == mcp::Era::legacy) return serve_legacy(exchange, std::move(message), std::move(meta->progress_token));
  if (era && message->kind() == mcp::MessageKind::notification) {  // of which none is acted upon in this era
    respond_plain(exchange, 202);
    return nothing_more();
  }
  const std::string text = "a request of revision " + std::string(mcp::kModernRevision) + " names it in params._meta";
  refuse(exchange, message->id(), era ? Error(Status::invalid, text).with_rpc(mcp::rpc::kInvalidParams) : era.error(), 400);
  return nothing_more();
}

bool accepts(const HttpRequest& request, std::string_view media_type) {
  const auto accept = request.header("accept");
  if (!accept) return false;
  std::string_view family = media_type.substr(0, media_type.find('/'));
  std::string_view rest = *accept;
  for (size_t comma = 0; comma != std::string_view::npos; rest.remove_prefix(std::min(comma + 1, rest.size()))) {
    comma = rest.find(',');
    const std::string_view part = rest.substr(0, comma);
    const std::string_view range = trim(part.substr(0, part.find(';')));
    if (equals_ignoring_case(range, media_type) || range == "*/*") return true;
    if (range.ends_with("/*") && equals_ignoring_case(range.substr(0, range.size() - 2), family)) return true;
  }
  return false;
}

void refuse(Exchange& exchange, std::string_view id, const Error& error, int http) {
  exchange.operation.failed(error);
  exchange.responder.respond(http, json_headers(), mcp::error_message(id, error));
}

void refuse(Exchange& exchange, Answer& answer, std::string_view id, const Error& error) {
  exchange.operation.failed(error);
  answer.finish(200, mcp::error_message(id, error));
}

void respond_plain(Exchange& exchange, int status, Headers headers) { exchange.responder.respond(status, std::move(headers), ""); }

std::string server_info(const Exchange& exchange) {
  std::string out;
  json::Writer(out)
      .begin_object()
      .member("name", exchange.caller.project->name)
      .member("version", exchange.site.gateway.options().version)
      .end_object();
  return out;
}

CallRecord record_of(const Exchange& exchange, const Client& client, std::string_view subject) {
  CallRecord record;
  record.time_ms = exchange.site.loop.clock().wall_ms();
  record.who = exchange.caller.who;
  record.project = exchange.caller.project->name;
  if (client.session) record.session = client.session->nonce;
  record.client_name = client.name;
  record.client_version = client.version;
  record.client_address = exchange.caller.address;
  record.subject = subject;
  record.trace_id = exchange.link.trace.id();
  record.request_id = exchange.caller.request_id;
  record.bearer = exchange.caller.to_control_plane;
  return record;
}

Error too_many_sessions() {
  return Error(Status::limit, "too many sessions have subscriptions or a log level").with_rpc(mcp::rpc::kInternalError);
}

namespace {

struct Method {
  std::string_view name;
  Handler serve;
  bool modern;
};
constexpr Method kMethods[] = {
    {"tools/call", serve_call, true},
    {"tools/list", serve_list, true},
    {"prompts/get", serve_call, true},
    {"prompts/list", serve_list, true},
    {"resources/read", serve_call, true},
    {"resources/list", serve_list, true},
    {"resources/templates/list", serve_list, true},
    {"completion/complete", serve_call, true},
    {"resources/subscribe", serve_subscription, false},
    {"resources/unsubscribe", serve_subscription, false},
    {"logging/setLevel", serve_set_level, false},
};

const Method* find_method(std::string_view name) {
  for (auto& method : kMethods) {
    if (method.name == name) return &method;
  }
  return nullptr;
}

}  // namespace

Handler find_legacy_handler(std::string_view method) {
  const Method* found = find_method(method);
  return found ? found->serve : nullptr;
}

Handler find_modern_handler(std::string_view method) {
  const Method* found = find_method(method);
  return found && found->modern ? found->serve : nullptr;
}

loop::Task<Result<void>> serve(Site& site, const Caller& caller, HttpRequest& request, Responder& responder, Link& link) {
  Exchange exchange(site, caller, request, responder, link);
  if (request.method == "POST") {
    auto task = serve_post(exchange);
    auto served = co_await task;
    exchange.operation.conclude(served);
    co_return served;
  } else if (request.method == "GET") {
    auto task = listen_legacy(exchange);
    MCPT_CO_CHECK(co_await task);
  } else if (request.method == "DELETE") {
    auto task = end_legacy(exchange);
    MCPT_CO_CHECK(co_await task);
  } else {
    respond_plain(exchange, 405, {{"Allow", "GET, POST, DELETE"}});
  }
  co_return Result<void>();
}

}  // namespace mcptoken::gateway
