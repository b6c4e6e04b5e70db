#include "mcptoken/session.h"

#include "base/limits.h"
#include "capi/blocking.h"
#include "capi/handles.h"
#include "json/value.h"
#include "json/writer.h"
#include "mcp/http_peer.h"
#include "mcp/rewrite.h"
#include "mcptoken/version.h"

using namespace mcptoken;
using namespace mcptoken::capi;

struct mcptoken_session {
  std::unique_ptr<Blocking> blocking;
  mcp::PeerIdentity identity;
  std::unique_ptr<mcp::HttpPeer> peer;
  int64_t timeout_ms = 30'000;
  bool connected = false;
  mcptoken_notification_fn on_notification = nullptr;
  void* user_data = nullptr;
};

namespace {

constexpr size_t kMaxPages = 1'000;

// Notifications go to the host; requests of the server are refused, because nothing was declared.
class HostEvents final : public mcp::Events {
 public:
  explicit HostEvents(mcptoken_session& session) : session_(session) {}
  void on_notification(mcp::Message message) override {
    if (session_.on_notification) session_.on_notification(session_.user_data, message.text().data(), message.text().size());
  }
  void on_request(mcp::Message message, Function<void(std::string)> reply) override {
    reply(mcp::error_message(message.id(), Error(Status::not_supported, "not offered").with_rpc(mcp::rpc::kMethodNotFound)));
  }

 private:
  mcptoken_session& session_;
};

// What a failed negotiation or call says, with the server's own words where it sent the control plane's error shape.
Error explain(Error error) {
  if (error.http == 0 || error.data.empty()) return error;
  auto body = json::parse(error.data);
  if (!body) return error;
  error.code = body->text("error");
  error.hint = body->text("hint");
  error.request_id = body->text("request_id");
  if (std::string message = body->text("message"); !message.empty()) error.message = "HTTP " + std::to_string(error.http) + ": " + message;
  return error;
}

loop::Task<Result<mcp::Message>> ask(mcptoken_session& session, std::string method, std::string params,
                                     std::string name, loop::Scope& scope) {
  std::string text = "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":" + json::quoted(method);
  if (!params.empty()) text += ",\"params\":" + params;
  text += "}";
  MCPT_CO_TRY(auto request, mcp::Message::parse(std::move(text), mcp::Origin::server));
  mcp::HopMeta hop;
  hop.era = session.peer->info().era;
  std::string capabilities = mcp::capabilities_json(session.identity.capabilities);
  hop.capabilities = capabilities;
  hop.client_info = session.identity.client_info;
  std::string token = session.on_notification && method == "tools/call" ? "1" : "";
  hop.progress_token = token;
  mcp::HopParams hop_params(request, hop);
  mcp::Call call(method, hop_params.pieces());
  call.name = name;
  call.progress_token = token;
  HostEvents events(session);
  auto task = session.peer->call(call, &events, scope);
  MCPT_CO_TRY(auto answer, co_await task);
  if (answer.kind() == mcp::MessageKind::error) co_return fail(answer.to_error());
  co_return answer;
}

Result<void> check(mcptoken_session* session) {
  MCPT_CHECK(require(session, "session"));
  if (!session->connected) return fail(Status::misuse, "the session is not connected");
  return {};
}

Result<mcp::Message> request(mcptoken_session& session, std::string method, std::string params, std::string name) {
  auto answer = session.blocking->run<mcp::Message>(session.timeout_ms,
                                                    [&](loop::Scope& scope) { return ask(session, method, params, name, scope); });
  if (!answer) return fail(explain(std::move(answer).error()));
  return answer;
}

std::string result_of(const mcp::Message& message) { return std::string(message.outline().raw(*message.result())); }

// All pages as one result: the first page's members, with the arrays joined.
Result<std::string> list_all(mcptoken_session& session, const std::string& method, const std::string& array) {
  json::Value all;
  std::string params;
  for (size_t page = 0; page < kMaxPages; ++page) {
    MCPT_TRY(auto answer, request(session, method, params, ""));
    json::ReadLimits limits;
    limits.bytes = limits::kUpstreamBodyBytes;
    MCPT_TRY(auto result, json::parse(result_of(answer), limits));
    const json::Value* items = result.find(array);
    if (!items || !items->is(json::Type::array))
      return fail(Status::protocol, "the answer to " + method + " has no array \"" + array + "\"");
    std::string cursor = result.text("nextCursor");
    bool last = !result.find("nextCursor");
    if (page == 0) {
      result.erase("nextCursor");
      all = std::move(result);
    } else {
      auto& joined = all.find(array)->items();
      joined.insert(joined.end(), items->items().begin(), items->items().end());
    }
    if (last) return json::to_text(all);
    params = "{\"cursor\":" + json::quoted(cursor) + "}";
  }
  return fail(Status::limit, "the list has more than " + std::to_string(kMaxPages) + " pages");
}

loop::Task<Result<int>> probe(Blocking& blocking, http::Url url, loop::Scope& scope) {
  http::Request request;
  request.method = "GET";
  request.url = &url;
  http::Options options = Blocking::options();
  std::string pool = "health";
  auto sending = blocking.http().send(request, options, pool, scope);
  MCPT_CO_TRY(auto exchange, co_await sending);
  co_return exchange->head().status;
}

}  // namespace

extern "C" {

mcptoken_status mcptoken_session_new(const char* url, const char* bearer, size_t bearer_size, int64_t timeout_ms, int32_t era,
                                     mcptoken_session** session_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(session_out);
    MCPT_CHECK(require(session_out, "session_out"));
    MCPT_CHECK(require(url, "url"));
    if (era < MCPTOKEN_ERA_AUTO || era > MCPTOKEN_ERA_MODERN) return fail(Status::invalid, "era is one of MCPTOKEN_ERA_*");
    auto session = std::make_unique<mcptoken_session>();
    json::Writer(session->identity.client_info).begin_object().member("name", "mcpctl").member("version", MCPTOKEN_VERSION).end_object();
    mcp::HttpOptions options;
    MCPT_TRY(options.url, http::parse_url(url));
    options.label = options.url.host;
    options.identity = session->identity;
    options.era = era == MCPTOKEN_ERA_LEGACY   ? mcp::EraChoice::legacy
                  : era == MCPTOKEN_ERA_MODERN ? mcp::EraChoice::modern
                                               : mcp::EraChoice::probe;
    options.http = Blocking::options();
    options.pool_key = "session";
    if (timeout_ms > 0) session->timeout_ms = timeout_ms;
    options.open_ms = session->timeout_ms;
    if (bearer_size > 0) options.headers.push_back({"Authorization", "Bearer " + std::string(view(bearer, bearer_size))});
    MCPT_TRY(session->blocking, Blocking::create());
    session->peer = std::make_unique<mcp::HttpPeer>(session->blocking->loop(), session->blocking->http(), std::move(options));
    *session_out = session.release();
    return {};
  });
}

void mcptoken_session_free(mcptoken_session* session) { delete session; }

void mcptoken_session_on_notification(mcptoken_session* session, mcptoken_notification_fn callback, void* user_data) {
  if (!session) return;
  session->on_notification = callback;
  session->user_data = user_data;
}

mcptoken_status mcptoken_session_connect(mcptoken_session* session, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    MCPT_CHECK(require(session, "session"));
    auto opened = session->blocking->run<void>(session->timeout_ms, [&](loop::Scope& scope) { return session->peer->open(scope); });
    if (!opened) return fail(explain(std::move(opened).error()));
    session->connected = true;
    return {};
  });
}

mcptoken_status mcptoken_session_info(mcptoken_session* session, mcptoken_bytes** json_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(json_out);
    MCPT_CHECK(check(session));
    MCPT_CHECK(require(json_out, "json_out"));
    const mcp::PeerInfo& info = session->peer->info();
    std::string out;
    json::Writer writer(out);
    writer.begin_object().member("era", info.era == mcp::Era::modern ? "modern" : "legacy").member("protocolVersion", info.revision);
    writer.raw_member("serverInfo", info.server_info).raw_member("capabilities", info.capabilities);
    if (!info.instructions.empty()) writer.member("instructions", info.instructions);
    writer.end_object();
    *json_out = new_bytes(std::move(out));
    return {};
  });
}

mcptoken_status mcptoken_session_list_tools(mcptoken_session* session, mcptoken_bytes** json_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(json_out);
    MCPT_CHECK(check(session));
    MCPT_CHECK(require(json_out, "json_out"));
    MCPT_TRY(auto list, list_all(*session, "tools/list", "tools"));
    *json_out = new_bytes(std::move(list));
    return {};
  });
}

mcptoken_status mcptoken_session_call_tool(mcptoken_session* session, const char* name, const char* arguments, size_t arguments_size,
                                           mcptoken_bytes** json_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(json_out);
    MCPT_CHECK(check(session));
    MCPT_CHECK(require(name, "name"));
    MCPT_CHECK(require(json_out, "json_out"));
    std::string params;
    json::Writer writer(params);
    writer.begin_object().member("name", name);
    if (arguments) {
      MCPT_TRY(auto type, json::validate(view(arguments, arguments_size)));
      if (type != json::Type::object) return fail(Status::invalid, "arguments must be a JSON object");
      writer.raw_member("arguments", view(arguments, arguments_size));
    }
    writer.end_object();
    MCPT_TRY(auto answer, request(*session, "tools/call", params, name));
    *json_out = new_bytes(result_of(answer));
    return {};
  });
}

mcptoken_status mcptoken_session_request(mcptoken_session* session, const char* method, const char* params, size_t params_size,
                                         mcptoken_bytes** result_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(result_out);
    MCPT_CHECK(check(session));
    MCPT_CHECK(require(method, "method"));
    MCPT_CHECK(require(result_out, "result_out"));
    std::string name;
    if (params) {
      MCPT_TRY(auto value, json::parse(view(params, params_size)));
      if (!value.is(json::Type::object)) return fail(Status::invalid, "params must be a JSON object");
      name = std::string_view(method) == "resources/read" ? value.text("uri") : value.text("name");
    }
    MCPT_TRY(auto answer, request(*session, method, std::string(view(params, params_size)), name));
    *result_out = new_bytes(result_of(answer));
    return {};
  });
}

mcptoken_status mcptoken_session_notify(mcptoken_session* session, const char* method, const char* params, size_t params_size,
                                        mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    MCPT_CHECK(check(session));
    MCPT_CHECK(require(method, "method"));
    if (params) MCPT_CHECK(json::validate(view(params, params_size)));
    std::string text = mcp::notification(method, view(params, params_size));
    return session->blocking->run<void>(session->timeout_ms, [&](loop::Scope&) { return session->peer->deliver(text); });
  });
}

mcptoken_status mcptoken_session_close(mcptoken_session* session, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    MCPT_CHECK(check(session));
    session->connected = false;
    return session->blocking->run<void>(session->timeout_ms, [&](loop::Scope& scope) { return session->peer->close(scope); });
  });
}

mcptoken_status mcptoken_session_base_url(const char* url, mcptoken_bytes** base_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(base_out);
    MCPT_CHECK(require(url, "url"));
    MCPT_CHECK(require(base_out, "base_out"));
    MCPT_TRY(auto parsed, http::parse_url(url));
    *base_out = new_bytes(parsed.origin());
    return {};
  });
}

mcptoken_status mcptoken_session_health(const char* base_url, int64_t timeout_ms, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    MCPT_CHECK(require(base_url, "base_url"));
    MCPT_TRY(auto url, http::parse_url(base_url));
    url.target = "/healthz";
    MCPT_TRY(auto blocking, Blocking::create());
    MCPT_TRY(int status, blocking->run<int>(timeout_ms > 0 ? timeout_ms : 30'000,
                                            [&](loop::Scope& scope) { return probe(*blocking, url, scope); }));
    if (status < 200 || status >= 300)
      return fail(Error(Status::remote, "/healthz answered HTTP " + std::to_string(status)).with_http(status));
    return {};
  });
}

}  // extern "C"
