#include "mcptoken/client.h"

#include "base/limits.h"
#include "capi/blocking.h"
#include "capi/handles.h"
#include "http/chars.h"
#include "json/value.h"
#include "mcptoken/version.h"

using namespace mcptoken;
using namespace mcptoken::capi;

struct mcptoken_client {
  std::unique_ptr<Blocking> blocking;
  http::Url base;
  crypto::Secret bearer;
  std::string user_agent = "libmcptoken/" MCPTOKEN_VERSION;
  int64_t timeout_ms = kDefaultMs;
  int32_t http_status = 0;
};

namespace {

struct Answer {
  int status = 0;
  std::string body;
};

Status status_of(int http) {
  switch (http) {
    case 400: case 405: case 413: case 415: case 422: return Status::invalid;
    case 401: return Status::unauthenticated;
    case 403: return Status::denied;
    case 404: return Status::not_found;
    case 409: return Status::conflict;
    case 429: return Status::limit;
    case 503: return Status::unavailable;
    default: return Status::remote;
  }
}

// The control plane's error answer as an Error; an answer of something else is named by its status alone.
Error refusal(const Answer& answer) {
  Error error(status_of(answer.status), "HTTP " + std::to_string(answer.status));
  error.http = answer.status;
  auto body = json::parse(answer.body);
  if (!body) return error;
  error.code = body->text("error");
  error.hint = body->text("hint");
  error.request_id = body->text("request_id");
  if (std::string message = body->text("message"); !message.empty()) error.message = std::move(message);
  if (error.code == "already_exists") error.status = Status::exists;
  return error;
}

loop::Task<Result<Answer>> call(mcptoken_client& client, std::string method, http::Url url, std::string body, loop::Scope& scope) {
  std::vector<http::Header> headers;
  headers.push_back({"Accept", "application/json"});
  headers.push_back({"User-Agent", client.user_agent});
  if (!client.bearer.empty()) headers.push_back({"Authorization", "Bearer " + std::string(client.bearer.reveal())});
  if (!body.empty()) headers.push_back({"Content-Type", "application/json"});
  std::vector<std::string_view> pieces;
  if (!body.empty()) pieces.push_back(body);
  http::Request request;
  request.method = method;
  request.url = &url;
  request.headers = headers;
  request.body = pieces;
  http::Options options = Blocking::options();
  options.repeatable = method == "GET";
  std::string pool = "control";
  auto sending = client.blocking->http().send(request, options, pool, scope);
  MCPT_CO_TRY(auto exchange, co_await sending);
  Answer answer;
  answer.status = exchange->head().status;
  auto reading = exchange->read_all(limits::kUpstreamBodyBytes, scope);
  MCPT_CO_TRY(answer.body, co_await reading);
  co_return answer;
}

}  // namespace

extern "C" {

mcptoken_status mcptoken_client_new(const char* base_url, const char* bearer, size_t bearer_size, int64_t timeout_ms,
                                    mcptoken_client** client_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(client_out);
    MCPT_CHECK(require(client_out, "client_out"));
    MCPT_CHECK(require(base_url, "base_url"));
    auto client = std::make_unique<mcptoken_client>();
    MCPT_TRY(client->base, http::parse_url(base_url));
    MCPT_TRY(client->blocking, Blocking::create());
    if (bearer_size > 0) client->bearer = crypto::Secret(view(bearer, bearer_size));
    client->timeout_ms = time_of(timeout_ms);
    *client_out = client.release();
    return {};
  });
}

void mcptoken_client_free(mcptoken_client* client) {
  guard(nullptr, [&] { return release(client); });
}

mcptoken_status mcptoken_client_introduce(mcptoken_client* client, const char* name, const char* version,
                                          mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    MCPT_CHECK(require(client, "client"));
    if (!http::is_token(view(name))) return fail(Status::invalid, "name has to be a token of HTTP");
    if (!http::is_token(view(version))) return fail(Status::invalid, "version has to be a token of HTTP");
    return alone(client, [&]() -> Result<void> {
      client->user_agent = std::string(name) + "/" + version;
      return {};
    });
  });
}

mcptoken_status mcptoken_client_call(mcptoken_client* client, const char* method, const char* path, const char* body, size_t body_size,
                                     mcptoken_bytes** answer_out, mcptoken_error** error_out) {
  return guard(error_out, [&]() -> Result<void> {
    clear(answer_out);
    MCPT_CHECK(require(client, "client"));
    MCPT_CHECK(require(method, "method"));
    MCPT_CHECK(require(path, "path"));
    MCPT_CHECK(require(answer_out, "answer_out"));
    // Anything else would continue the host or the port of the base, and take the bearer there.
    if (*path != '/') return fail(Status::invalid, "path begins with '/'");
    MCPT_TRY(auto url, http::parse_url(client->base.origin() + path));
    std::string text(view(body, body_size));
    return alone(client, [&]() -> Result<void> {
      MCPT_TRY(auto answer, client->blocking->run<Answer>(client->timeout_ms, [&](loop::Scope& scope) {
        return call(*client, method, url, text, scope);
      }));
      client->http_status = answer.status;
      if (answer.status < 200 || answer.status >= 300) return fail(refusal(answer));
      *answer_out = new_bytes(std::move(answer.body));
      return {};
    });
  });
}

int32_t mcptoken_client_http_status(const mcptoken_client* client) { return client ? client->http_status : 0; }

}  // extern "C"
