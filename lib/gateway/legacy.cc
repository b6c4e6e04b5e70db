// Revisions up to 2025-11-25 towards clients: initialize, sealed sessions, answers and cancellations that arrive as requests
// of their own.

#include "base/bytes.h"
#include "base/limits.h"
#include "gateway/endpoint.h"
#include "gateway/plugins/gate.h"
#include "gateway/retention.h"
#include "json/writer.h"
#include "loop/stage.h"
#include "mcp/cancel.h"
#include "mcp/rewrite.h"

namespace mcptoken::gateway {
namespace {

using mcp::MessageKind;

std::string initialize_result(const Exchange& exchange, std::string_view revision) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object().member("protocolVersion", revision);
  writer.raw_member("capabilities", kServerCapabilities);
  writer.raw_member("serverInfo", server_info(exchange));
  if (const auto text = instructions_of(*exchange.caller.project); !text.empty()) writer.member("instructions", text);
  writer.end_object();
  return out;
}

void initialize(Exchange& exchange, const mcp::Message& message) {
  auto params = mcp::read_initialize(message);
  if (!params) return refuse(exchange, message.id(), params.error(), 400);
  SessionId session;
  session.revision = mcp::is_legacy(params->protocol_version) ? params->protocol_version : std::string(mcp::kNewestLegacyRevision);
  session.capabilities = params->capabilities;
  session.client_name = params->client_name;
  session.client_version = params->client_version;
  session.issued_ms = exchange.site.loop.clock().wall_ms();
  session.owner = static_cast<uint8_t>(exchange.site.index);
  auto& who = *exchange.caller.who;
  auto id = seal_session(session, exchange.caller.bearer, who.token_sha, who.project_id);
  if (!id) return refuse(exchange, message.id(), id.error(), 500);
  Client client;
  client.name = params->client_name;
  client.version = params->client_version;
  client.session = std::make_shared<const SessionId>(session);
  exchange.operation.speaks(session.revision);
  exchange.site.gateway.plane().record(exchange.site.index, record_of(exchange, client, "initialize"), ControlPlane::Place::any);
  Headers headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}, {"Mcp-Session-Id", *id}};
  exchange.responder.respond(200, std::move(headers), mcp::result_message(message.id(), initialize_result(exchange, session.revision)));
}

// The answer to one of our asks. Its id names the loop that waits: "<site>.<number>.<random>".
void take_answer(Exchange& exchange, const SessionPtr& session, MessagePtr message) {
  respond_plain(exchange, 202);
  if (!session || !message->id_node() || message->id_node()->type != json::Type::string) return;
  std::string id = message->outline().string(*message->id_node());
  auto site = parse_decimal(std::string_view(id).substr(0, id.find('.')));
  if (!site || static_cast<size_t>(*site) >= exchange.site.gateway.sites()) return;
  Site& home = exchange.site.gateway.site(static_cast<size_t>(*site));
  home.loop.post([&home, id, message, session] {
    auto it = home.asks.find(id);
    if (it == home.asks.end() || it->second.share != session->share) return;
    Ask ask = std::move(it->second);
    home.asks.erase(it);
    mcp::ClientHop hop;
    hop.id = ask.upstream_id;
    ask.reply(mcp::to_client(*message, hop));
  });
}

void take_notification(Exchange& exchange, const SessionPtr& session, const mcp::Message& message) {
  respond_plain(exchange, 202);
  if (message.method() != "notifications/cancelled" || !session) return;
  const json::Node* request = message.param("requestId");
  if (!request) return;
  const json::Node* reason = message.param("reason");
  const bool told = reason && reason->type == json::Type::string;
  const std::string why(told ? message.outline().raw(*reason) : std::string_view());
  // The call runs where its POST arrived, which may be any loop.
  exchange.site.gateway.tell_all([key = running_key(session->share, message.outline().raw(*request)), why](Site& site) {
    site.loop.defer([&site, key, why] {  // the call may have come in this turn, and begins at its end
      auto it = site.running.find(key);
      if (it == site.running.end()) return;
      it->second->cancel(mcp::withdrawal(why));
    });
  });
}

// Registers a call so that its session can cancel it.
class Registration {
 public:
  Registration(Site& site, const SessionPtr& session, std::string_view id, loop::Scope& scope) : site_(site) {
    if (!session) return;
    auto [it, added] = site.running.emplace(running_key(session->share, id), &scope);
    if (added) key_ = &it->first;
  }
  ~Registration() {
    if (key_) site_.running.erase(site_.running.find(*key_));
  }
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

 private:
  Site& site_;
  const std::string* key_ = nullptr;  // where it stands in the table
};

}  // namespace

Result<SessionPtr> session_of(const Exchange& exchange) {
  bool repeated = false;
  const auto id = exchange.request.header("mcp-session-id", &repeated);
  if (repeated) return fail(Error(Status::invalid, "two Mcp-Session-Id headers").with_http(400).with_rpc(mcp::rpc::kInvalidRequest));
  if (!id) return SessionPtr();
  auto& who = *exchange.caller.who;
  const int64_t now_ms = exchange.site.loop.clock().wall_ms();
  MCPT_TRY(auto session, exchange.site.session_ids.open(trim(*id), exchange.caller.bearer, who.token_sha, who.project_id, now_ms));
  if (!exchange.site.ended.empty() && exchange.site.ended.contains(session->share)) {
    return fail(Error(Status::not_found, "the session is unknown or has ended").with_code("session_not_found").with_http(404));
  }
  return session;
}

loop::Task<Result<void>> serve_legacy(Exchange& exchange, MessagePtr message, std::string progress_token) {
  exchange.link.cancel_on_close = false;  // known before the first wait
  loop::Stage all_parsed(exchange.site.loop);
  co_await all_parsed;
  if (message->is_call()) exchange.operation.begin(message->method());
  auto session = session_of(exchange);
  if (!session) {
    refuse(exchange, message->id(), session.error(), session.error().http);
    co_return Result<void>();
  }
  switch (message->kind()) {
    case MessageKind::result:
    case MessageKind::error:
      take_answer(exchange, *session, std::move(message));
      co_return Result<void>();
    case MessageKind::notification:
      take_notification(exchange, *session, *message);
      co_return Result<void>();
    case MessageKind::request:
      break;
  }
  if (message->method() == "initialize") {
    initialize(exchange, *message);
    co_return Result<void>();
  }
  Client client;
  client.session = *std::move(session);
  if (client.session) {
    client.capabilities = client.declared = client.session->capabilities;
    client.name = client.session->client_name;
    client.version = client.session->client_version;
    exchange.operation.speaks(client.session->revision);
  } else if (const auto version = exchange.request.header("mcp-protocol-version")) {
    exchange.operation.speaks(trim(*version));
  }
  client.progress_token = std::move(progress_token);
  if (client.session && !exchange.site.sessions.empty()) {
    if (auto* state = exchange.site.state_of(client.session->share)) client.log_level = state->log_level;
  }
  std::optional<StreamOwner> owner;
  Answer answer(exchange.site.loop, exchange.responder, accepts(exchange.request, "text/event-stream"));
  if (client.session) {
    owner.emplace(exchange.site.retention, exchange.caller, *client.session, message->id(), exchange.link.scope);
    answer.keep_for(*owner);
  }
  Registration registration(exchange.site, client.session, message->id(), exchange.link.scope);
  if (message->method() == "ping") {
    answer.finish(200, mcp::result_message(message->id(), "{}"));
  } else if (Handler handler = find_legacy_handler(message->method())) {
    auto task = handler(exchange, client, message, answer);
    MCPT_CO_CHECK(co_await task);
  } else {
    refuse(exchange, answer, message->id(),
           Error(Status::not_found, "unknown method " + std::string(message->method()))
                                              .with_rpc(mcp::rpc::kMethodNotFound));
  }
  co_return Result<void>();
}

bool admit_to_session(Exchange& exchange) {
  const auto era = era_by_header(exchange.request);
  const bool served = era && *era == mcp::Era::legacy && exchange.request.header("mcp-session-id");
  if (!era) refuse(exchange, "null", era.error(), 400);
  else if (!served) respond_plain(exchange, 405, {{"Allow", "POST"}});
  return served;
}

loop::Task<Result<void>> end_legacy(Exchange& exchange) {
  if (!admit_to_session(exchange)) co_return Result<void>();
  auto session = session_of(exchange);
  if (!session) {
    refuse(exchange, "null", session.error(), session.error().http);
    co_return Result<void>();
  }
  exchange.site.gateway.tell_all([session = *session](Site& site) {
    site.end_session(session->share);
    site.drop_state(session->share);
  });
  respond_plain(exchange, 204);
  co_return Result<void>();
}

}  // namespace mcptoken::gateway
