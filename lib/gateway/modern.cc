// Revision 2026-07-28 towards clients: every request stands for itself, headers repeat what the body says and are compared.
#include "base/bytes.h"
#include "base/limits.h"
#include "gateway/endpoint.h"
#include "gateway/log_level.h"
#include "gateway/plugins/gate.h"
#include "json/writer.h"
#include "loop/stage.h"
#include "mcp/header.h"
#include "mcp/rewrite.h"

namespace mcptoken::gateway {
namespace {

constexpr int64_t kDiscoverTtlMs = 60'000;
constexpr size_t kSeenClients = 4'096;  // of a loop, that are remembered
constexpr size_t kSeenText = 64;         // of a name

Error mismatch(std::string message) { return Error(Status::invalid, std::move(message)).with_rpc(mcp::rpc::kHeaderMismatch); }

Result<void> compare(const HttpRequest& request, std::string_view header, std::string_view shown, std::string_view wanted) {
  bool repeated = false;
  const auto raw = request.header(header, &repeated);
  if (repeated) return fail(mismatch("two " + std::string(shown) + " headers"));
  if (!raw) return fail(mismatch("the " + std::string(shown) + " header is missing"));
  auto value = mcp::decode_header(*raw);
  if (!value) return fail(mismatch("the " + std::string(shown) + " header is not well encoded"));
  if (*value != wanted) return fail(mismatch("the " + std::string(shown) + " header differs from the body"));
  return {};
}

Result<void> check_headers(const HttpRequest& request, const mcp::Message& message, const std::string& version) {
  MCPT_CHECK(compare(request, "mcp-protocol-version", "MCP-Protocol-Version", version));
  if (message.kind() != mcp::MessageKind::request) return {};
  MCPT_CHECK(compare(request, "mcp-method", "Mcp-Method", message.method()));
  const std::string_view member = mcp::named_member(message.method());
  if (member.empty()) return {};
  Result<void> named;
  if (auto value = message.string_param(member)) named = compare(request, "mcp-name", "Mcp-Name", *value);
  else named = fail(Error(Status::invalid, "params." + std::string(member) + " is required").with_rpc(mcp::rpc::kInvalidParams));
  if (!named && !find_modern_handler(message.method())) return {};  // that there is no such method is said below
  return named;
}

Result<void> check_meta(const mcp::ClientMeta& meta) {
  auto bad = [](const char* why) { return fail(Error(Status::invalid, why).with_rpc(mcp::rpc::kInvalidParams)); };
  if (!meta.has_capabilities) return bad("_meta must declare the client's capabilities");
  if (!meta.log_level.empty() && !log_rank(meta.log_level)) return bad("the log level in _meta must be one of the levels");
  return {};
}

Error unsupported(const std::string& requested) {
  std::string data;
  json::Writer writer(data);
  writer.begin_object().key("supported").begin_array().string(mcp::kModernRevision);
  for (auto revision : mcp::legacy_revisions()) writer.string(revision);
  writer.end_array().member("requested", requested).end_object();
  return Error(Status::not_supported, "the protocol version is not one we serve").with_rpc(mcp::rpc::kUnsupportedVersion).with_data(data);
}

std::string result_meta(const Exchange& exchange) {
  return "{\"io.modelcontextprotocol/serverInfo\":" + server_info(exchange) + "}";
}

// A client of this era begins nothing, so that one who only looks would be in no record. What it asks first, and first again
// after a while, is recorded like the beginning of a session; calls are recorded themselves.
void note_client(Exchange& exchange, const Client& client, std::string_view method) {
  auto& seen = exchange.site.modern_clients;
  const int64_t now_ms = exchange.site.loop.now_ms();
  const auto over = [now_ms](int64_t last_ms) { return now_ms - last_ms > limits::kSessionIdleMs; };
  const std::string key = exchange.caller.who->token_sha + "\n" + exchange.caller.address + "\n" +
                          client.name.substr(0, kSeenText) + "\n" + client.version.substr(0, kSeenText);
  auto at = seen.find(key);
  const bool is_new = at == seen.end() || over(at->second);
  if (at == seen.end()) {
    if (seen.size() >= kSeenClients) std::erase_if(seen, [&](const auto& one) { return over(one.second); });
    if (seen.size() >= kSeenClients) seen.clear();
    at = seen.emplace(key, now_ms).first;
  }
  at->second = now_ms;
  if (is_new) exchange.site.gateway.plane().record(exchange.site.index, record_of(exchange, client, method), ControlPlane::Place::any);
}

void discover(Exchange& exchange, const mcp::Message& message) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object().member("resultType", "complete").key("supportedVersions").begin_array().string(mcp::kModernRevision);
  for (auto revision : mcp::legacy_revisions()) writer.string(revision);
  writer.end_array();
  writer.raw_member("capabilities", kServerCapabilities);
  if (const auto text = instructions_of(*exchange.caller.project); !text.empty()) writer.member("instructions", text);
  writer.member("ttlMs", kDiscoverTtlMs).member("cacheScope", "private").raw_member("_meta", result_meta(exchange)).end_object();
  exchange.responder.respond(200, {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}},
                             mcp::result_message(message.id(), out));
}

}  // namespace

loop::Task<Result<void>> serve_modern(Exchange& exchange, MessagePtr message, mcp::ClientMeta meta) {
  loop::Stage all_parsed(exchange.site.loop);
  co_await all_parsed;
  const std::string& version = *meta.protocol_version;
  exchange.operation.begin(message->method());
  exchange.operation.speaks(version);
  if (!mcp::is_modern(version)) {
    bool differs = false;
    const auto header = exchange.request.header("mcp-protocol-version", &differs);
    differs |= header && trim(*header) != version;
    Error error = differs ? mismatch("the MCP-Protocol-Version header differs from the body") : unsupported(version);
    refuse(exchange, message->id(), error, 400);
    co_return Result<void>();
  }
  if (auto checked = check_headers(exchange.request, *message, version); !checked) {
    refuse(exchange, message->id(), checked.error(), 400);
    co_return Result<void>();
  }
  if (message->kind() == mcp::MessageKind::notification) {
    respond_plain(exchange, 202);
    co_return Result<void>();
  }
  if (auto checked = check_meta(meta); !checked) {
    refuse(exchange, message->id(), checked.error(), 400);
    co_return Result<void>();
  }
  Client client;
  client.era = mcp::Era::modern;
  client.name = meta.client_name;
  client.version = meta.client_version;
  client.declared = meta.capabilities;
  client.progress_token = meta.progress_token;
  client.log_level = meta.log_level;
  Answer answer(exchange.site.loop, exchange.responder, accepts(exchange.request, "text/event-stream"));
  if (message->method() == "server/discover") {
    note_client(exchange, client, message->method());
    discover(exchange, *message);
  } else if (message->method() == "subscriptions/listen") {
    note_client(exchange, client, message->method());
    auto task = listen_modern(exchange, client, message);
    MCPT_CO_CHECK(co_await task);
  } else if (Handler handler = find_modern_handler(message->method())) {
    if (handler == serve_list) note_client(exchange, client, message->method());
    auto task = handler(exchange, client, message, answer);
    MCPT_CO_CHECK(co_await task);
  } else {
    refuse(exchange, message->id(),
           Error(Status::not_found, "unknown method " + std::string(message->method()))
               .with_rpc(mcp::rpc::kMethodNotFound),
           404);
  }
  co_return Result<void>();
}

}  // namespace mcptoken::gateway
