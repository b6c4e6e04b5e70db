#include "mcptoken/session.h"

#include <algorithm>

#include "capi/handles.h"
#include "capi/session_handle.h"
#include "json/value.h"
#include "json/writer.h"
#include "mcp/rewrite.h"
#include "mcptoken/version.h"

using namespace mcptoken;
using namespace mcptoken::capi;

namespace {

constexpr int64_t kFlushMs = 1'000;  // what is on its way to a server, before the session there is ended

bool is_shown(std::string_view text) {
  return !text.empty() &&
         std::none_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; });
}

std::string client_info(std::string_view name, std::string_view version) {
  std::string out;
  json::Writer(out).begin_object().member("name", name).member("version", version).end_object();
  return out;
}

void make_peer(mcptoken_session& session) {
  mcp::HttpOptions options;
  options.url = session.url;
  options.label = session.url.host;
  options.identity = session.identity;
  options.era = session.era;
  options.http = Blocking::options();
  options.pool_key = "session";
  options.open_ms = session.timeout_ms;
  options.on_unrelated = [&session](mcp::Message message) { tell_host(session, std::move(message)); };
  if (!session.bearer.empty())
    options.headers.push_back({"Authorization", "Bearer " + std::string(session.bearer.reveal())});
  session.peer =
      std::make_unique<mcp::HttpPeer>(session.blocking->loop(), session.blocking->http(), std::move(options));
}

Result<void> request(mcptoken_session* session, std::string_view method, std::string_view params, mcptoken_bytes** out) {
  MCPT_TRY(const auto message, session_message(method, params));
  return alone(session, [&]() -> Result<void> {
    MCPT_TRY(auto result, run<std::string>(*session, [&](loop::Scope& scope) { return session_request(*session, message, scope); }));
    *out = new_bytes(std::move(result));
    return {};
  });
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
    session->identity.client_info = client_info("libmcptoken", MCPTOKEN_VERSION);
    MCPT_TRY(session->url, http::parse_url(url));
    session->era = era == MCPTOKEN_ERA_LEGACY   ? mcp::EraChoice::legacy
                   : era == MCPTOKEN_ERA_MODERN ? mcp::EraChoice::modern
                                                : mcp::EraChoice::probe;
    session->timeout_ms = time_of(timeout_ms);
    if (bearer_size > 0) session->bearer = crypto::Secret(view(bearer, bearer_size));
    MCPT_TRY(session->blocking, Blocking::create());
    session->events = host_events(*session);
    make_peer(*session);
    *session_out = session.release();
    return {};
  });
}

void mcptoken_session_free(mcptoken_session* session) {
  guard(nullptr, [&] { return release(session); });
}

mcptoken_status mcptoken_session_introduce(mcptoken_session* session, const char* name, const char* version,
                                           mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    MCPT_CHECK(require(session, "session"));
    if (!is_shown(view(name))) return fail(Status::invalid, "name is required, without control characters");
    if (!is_shown(view(version))) return fail(Status::invalid, "version is required, without control characters");
    return alone(session, [&]() -> Result<void> {
      if (session->connected) return fail(Status::misuse, "who the host is has to be said before it connects");
      session->identity.client_info = client_info(view(name), view(version));
      make_peer(*session);
      return {};
    });
  });
}

void mcptoken_session_on_notification(mcptoken_session* session, mcptoken_notification_fn callback, void* user_data) {
  if (!session) return;
  session->on_notification = callback;
  session->user_data = user_data;
}

mcptoken_status mcptoken_session_on_input(mcptoken_session* session, const char* capabilities, size_t capabilities_size,
                                          mcptoken_input_fn callback, void* user_data, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    MCPT_CHECK(require(session, "session"));
    MCPT_CHECK(require(!callback || capabilities, "capabilities"));
    if (session->connected) return fail(Status::misuse, "what a session offers is said when it connects");
    uint32_t mask = 0;
    if (callback) {
      MCPT_TRY(mask, mcp::read_capabilities(view(capabilities, capabilities_size)));
      if (mask == 0) return fail(Status::invalid, "capabilities name none of elicitation, sampling and roots");
    }
    session->identity.capabilities = mask;
    session->peer->declare(mask);
    session->on_input = callback;
    session->input_data = user_data;
    return {};
  });
}

mcptoken_status mcptoken_session_answer(mcptoken_session* session, const char* json, size_t size, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    MCPT_CHECK(require(session, "session"));
    MCPT_CHECK(require(json, "json"));
    if (!session->asking) return fail(Status::misuse, "nothing is asked now");
    MCPT_CHECK(check_object(view(json, size), "an answer"));
    session->reply = std::string(view(json, size));
    return {};
  });
}

mcptoken_status mcptoken_session_connect(mcptoken_session* session, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    MCPT_CHECK(require(session, "session"));
    return alone(session, [&]() -> Result<void> {
      MCPT_CHECK(run<void>(*session, [&](loop::Scope& scope) { return session->peer->open(scope); }));
      session->connected = true;
      return {};
    });
  });
}

const char* mcptoken_session_challenge(const mcptoken_session* session) {
  return guard_value("", [&] { return session ? session->peer->challenge().c_str() : ""; });
}

mcptoken_status mcptoken_session_info(mcptoken_session* session, mcptoken_bytes** json_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(json_out);
    MCPT_CHECK(check_connected(session));
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
    MCPT_CHECK(check_connected(session));
    MCPT_CHECK(require(json_out, "json_out"));
    return alone(session, [&]() -> Result<void> {
      MCPT_TRY(auto list, run<std::string>(*session, [&](loop::Scope& scope) { return session_list_tools(*session, scope); }));
      *json_out = new_bytes(std::move(list));
      return {};
    });
  });
}

mcptoken_status mcptoken_session_call_tool(mcptoken_session* session, const char* name, const char* arguments, size_t arguments_size,
                                           mcptoken_bytes** json_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(json_out);
    MCPT_CHECK(check_connected(session));
    MCPT_CHECK(require(name, "name"));
    MCPT_CHECK(require(json_out, "json_out"));
    std::string params;
    json::Writer writer(params);
    writer.begin_object().member("name", name);
    if (arguments) {
      MCPT_CHECK(check_object(view(arguments, arguments_size), "arguments"));
      writer.raw_member("arguments", view(arguments, arguments_size));
    }
    writer.end_object();
    return request(session, "tools/call", params, json_out);
  });
}

mcptoken_status mcptoken_session_request(mcptoken_session* session, const char* method, const char* params, size_t params_size,
                                         mcptoken_bytes** result_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(result_out);
    MCPT_CHECK(check_connected(session));
    MCPT_CHECK(require(method, "method"));
    MCPT_CHECK(require(result_out, "result_out"));
    if (params) MCPT_CHECK(check_object(view(params, params_size), "params"));
    return request(session, method, view(params, params_size), result_out);
  });
}

mcptoken_status mcptoken_session_notify(mcptoken_session* session, const char* method, const char* params, size_t params_size,
                                        mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    MCPT_CHECK(check_connected(session));
    MCPT_CHECK(require(method, "method"));
    if (params) MCPT_CHECK(check_object(view(params, params_size), "params"));
    std::string text = mcp::notification(method, view(params, params_size));
    return alone(session, [&] {
      return run<void>(*session, [&](loop::Scope& scope) { return session_notify(*session, text, scope); });
    });
  });
}

mcptoken_status mcptoken_session_close(mcptoken_session* session, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    MCPT_CHECK(check_connected(session));
    return alone(session, [&] {
      session->connected = false;
      end_calls(*session, Error(Status::cancelled, "the session was closed"));
      session->stream.reset();
      settle(*session, std::min(kFlushMs, session->timeout_ms));
      return run<void>(*session, [&](loop::Scope& scope) { return session->peer->close(scope); });
    });
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
    MCPT_TRY(int status, blocking->run<int>(time_of(timeout_ms), [&](loop::Scope& scope) { return probe(*blocking, url, scope); }));
    if (status < 200 || status >= 300)
      return fail(Error(Status::remote, "/healthz answered HTTP " + std::to_string(status)).with_http(status));
    return {};
  });
}

}  // extern "C"
