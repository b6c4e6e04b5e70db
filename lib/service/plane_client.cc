#include "service/plane_client.h"

#include "base/limits.h"

namespace mcptoken::service {
namespace {

constexpr size_t kAnswerBytes = limits::kBodyBytes;
constexpr std::string_view kPool = "control plane";  // each request carries its own bearer and is judged alone

// What is said of a refusal is the control plane's; which statuses are one is ours.
Status status_of(int http) {
  return http == 401   ? Status::unauthenticated
         : http == 403 ? Status::denied
         : http == 404 ? Status::not_found
                       : Status::invalid;
}

// The fields of a request; the bearer is wiped when it is over.
struct Fields {
  explicit Fields(const crypto::Secret& bearer) { headers[0].value += bearer.reveal(); }
  ~Fields() { crypto::wipe(headers[0].value.data(), headers[0].value.size()); }
  Fields(const Fields&) = delete;
  Fields& operator=(const Fields&) = delete;
  http::Header headers[2] = {{"Authorization", "Bearer "}, {"Content-Type", "application/json"}};
};

}  // namespace

http::Url PlaneAddress::at(std::string_view path) const {
  http::Url out = url;
  out.target = prefix + std::string(path);
  return out;
}

Result<PlaneAddress> parse_plane(std::string_view text) {
  PlaneAddress plane;
  MCPT_TRY(plane.url, http::parse_url(text));
  if (plane.url.target.find('?') != std::string::npos) return fail(Status::invalid, "a URL without a query");
  plane.prefix = plane.url.target;
  while (plane.prefix.ends_with('/'))
    plane.prefix.pop_back();
  return plane;
}

std::optional<Error> plane_error(int status, std::string_view body) {
  auto value = json::parse(body);
  if (!value || !value->is(json::Type::object)) return std::nullopt;
  std::string code = value->text("error");
  if (code.empty() || value->text("message").empty()) return std::nullopt;
  auto error = Error(status_of(status), value->text("message"))
                   .with_code(code)
                   .with_hint(value->text("hint"))
                   .with_http(status);
  if (const json::Value* reason = value->find("reason")) error.data = json::to_text(*reason);
  return error;
}

Error plane_away(std::string why) {
  return Error(Status::unavailable, std::move(why))
      .with_code("auth_unavailable")
      .with_http(503)
      .with_hint("the control plane cannot be asked at the moment; try again");
}

namespace {

// `repeatable`: it does no harm when it arrives twice.
loop::Task<Result<json::Value>> exchange_with(http::Client& client, const PlaneAddress& plane, std::string_view method,
                                              bool repeatable, std::string path, std::optional<std::string> content,
                                              crypto::Secret bearer, int64_t wait_ms,
                                              loop::Scope& scope) {
  http::Url url = plane.at(path);
  Fields fields(bearer);
  std::string_view piece = content ? *content : std::string_view();
  http::Request request;
  request.url = &url;
  request.headers = std::span(fields.headers, content ? 2 : 1);
  if (content) {
    request.method = method;
    request.body = std::span(&piece, 1);
  }
  http::Options options;
  options.first_byte_ms = wait_ms;
  options.allow_private = true;  // the operator has named it
  options.ca_file = plane.ca_file;
  options.repeatable = repeatable;
  auto sending = client.send(request, options, std::string(kPool), scope);
  auto exchange = co_await sending;
  if (!exchange) co_return fail(plane_away("the control plane: " + exchange.error().message));
  auto reading = (*exchange)->read_all(kAnswerBytes, scope);
  auto body = co_await reading;
  if (!body) co_return fail(plane_away("the control plane: " + body.error().message));
  int status = (*exchange)->head().status;
  if (status == 200 || status == 201) {
    auto value = json::parse(*body);
    if (value) co_return *std::move(value);
  }
  auto refused = status >= 400 && status < 500 && status != 429 ? plane_error(status, *body) : std::nullopt;
  if (refused) co_return fail(*std::move(refused));
  co_return fail(plane_away("the control plane answered HTTP " + std::to_string(status)));
}

}  // namespace

loop::Task<Result<json::Value>> ask_plane(http::Client& client, const PlaneAddress& plane, std::string path,
                                          crypto::Secret bearer, int64_t wait_ms, loop::Scope& scope) {
  return exchange_with(client, plane, "GET", true, std::move(path), std::nullopt, std::move(bearer), wait_ms, scope);
}

loop::Task<Result<json::Value>> tell_plane(http::Client& client, const PlaneAddress& plane, std::string path,
                                           std::string body, crypto::Secret bearer, int64_t wait_ms, loop::Scope& scope) {
  return exchange_with(client, plane, "POST", true, std::move(path), std::move(body), std::move(bearer), wait_ms, scope);
}

loop::Task<Result<json::Value>> put_to_plane(http::Client& client, const PlaneAddress& plane, std::string path,
                                             std::string body, crypto::Secret bearer, int64_t wait_ms, loop::Scope& scope) {
  return exchange_with(client, plane, "PUT", true, std::move(path), std::move(body), std::move(bearer), wait_ms, scope);
}

loop::Task<Result<json::Value>> create_on_plane(http::Client& client, const PlaneAddress& plane, std::string path,
                                                std::string body, crypto::Secret bearer, int64_t wait_ms, loop::Scope& scope) {
  return exchange_with(client, plane, "POST", false, std::move(path), std::move(body), std::move(bearer), wait_ms, scope);
}

}  // namespace mcptoken::service
