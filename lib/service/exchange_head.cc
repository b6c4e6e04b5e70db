// What a request is by its head alone: who may ask at all, and what is answered without looking further.
#include "service/exchange.h"

#include <algorithm>

#include "base/bytes.h"
#include "json/writer.h"

namespace mcptoken::service {
namespace {

// Paths of the OAuth dance that clients begin when a token is refused: they print what these say.
constexpr std::string_view kSignInPaths[] = {"register", "authorize", "token"};
constexpr std::string_view kNoSignIn =
    "this server has no sign-in: it takes project tokens. Create one with: mcpctl create mcptoken NAME -p PROJECT";

constexpr std::string_view kParamHeader = "mcp-param-";

bool is_loopback_name(std::string_view host) { return host == "localhost" || host == "127.0.0.1" || host == "[::1]"; }

// "host[:port]" with a well-formed port; the host in lower case.
bool split_host(std::string_view value, std::string& host, std::string& port) {
  size_t end = value.starts_with('[') ? value.find(']') : value.find(':');
  if (value.starts_with('[')) {
    if (end == std::string_view::npos) return false;
    ++end;
  }
  if (end == std::string_view::npos) end = value.size();
  host = lower(value.substr(0, end));
  std::string_view rest = value.substr(end);
  if (host.empty()) return false;
  for (char c : host) {
    if (!is_alpha(c) && !is_digit(c) && std::string_view(".-_[]:").find(c) == std::string_view::npos) return false;
  }
  if (rest.empty()) return true;
  auto number = parse_decimal(rest.substr(1));
  if (rest.front() != ':' || !number || *number < 1 || *number > 65535) return false;
  port = rest.substr(1);
  return true;
}

Error host_denied() {
  return Error(Status::denied, "the Host of the request is not one of this server's")
      .with_code("host_denied")
      .with_http(421)
      .with_hint("name it in allowed-hosts");
}

Error origin_denied() {
  return Error(Status::denied, "the Origin of the request is not allowed")
      .with_code("origin_denied")
      .with_http(403)
      .with_hint("name it in allowed-origins");
}

std::string oauth_error(std::string_view description) {
  std::string out;
  json::Writer(out)
      .begin_object()
      .member("error", "invalid_request")
      .member("error_description", description)
      .end_object();
  return out;
}

// As "verbose" or "verbose=1", whatever else a prober says.
bool has_word(std::string_view query, std::string_view word) {
  const auto parts = split(query, '&');
  return std::any_of(parts.begin(), parts.end(),
                     [&](std::string_view part) { return part.substr(0, part.find('=')) == word; });
}

// Of the header names that a browser asks for, those of arguments (2026-07-28), which are as the tools name them.
std::string param_headers(std::string_view wanted) {
  std::string out;
  while (!wanted.empty()) {
    const size_t comma = std::min(wanted.find(','), wanted.size());
    const std::string_view name = trim(wanted.substr(0, comma));
    const bool is_token = std::all_of(name.begin(), name.end(),
                                      [](char c) { return is_alpha(c) || is_digit(c) || c == '-' || c == '_'; });
    if (is_token && equals_ignoring_case(name.substr(0, kParamHeader.size()), kParamHeader))
      out.append(", ").append(name);
    wanted.remove_prefix(std::min(comma + 1, wanted.size()));
  }
  return out;
}

}  // namespace

Result<void> Exchange::judge_head() {
  MCPT_CHECK(parse_target(asked_->head));
  if (answer_probe()) return {};
  link_.late = node_.draining;
  if (link_.late && !may_be_awaited()) return fail(Error(Status::unavailable, "the server is shutting down"));
  MCPT_CHECK(check_host());
  MCPT_CHECK(check_origin());
  if (answer_preflight() || answer_sign_in()) return {};
  auto target = mcp_target(asked_->head.path);
  const bool rest = !target && asked_->head.path.size() >= 2 && asked_->head.path[0] == "api" && asked_->head.path[1] == "v1";
  if (!rest) MCPT_CHECK(check_length(asked_->head.content_length));
  if (target) {
    target_ = *std::move(target);
    return begin_mcp();
  }
  if (rest) return begin_rest();
  return fail(not_found());
}

// The answer to what a server has asked, or a withdrawal: calls that are under way wait for those.
bool Exchange::may_be_awaited() const {
  return asked_->head.method == "POST" && asked_->head.headers.find("mcp-session-id") && mcp_target(asked_->head.path);
}

bool Exchange::answer_probe() {
  if (asked_->head.path.size() != 1) return false;
  const bool health = asked_->head.path[0] == "healthz";
  if (!health && asked_->head.path[0] != "readyz") return false;
  const bool verbose = !health && has_word(asked_->head.query, "verbose");
  if (asked_->head.method != "GET" && asked_->head.method != "HEAD") {
    respond(405, {{"Allow", "GET, HEAD"}}, "");
    return true;
  }
  // That the process answers is all that /healthz says: a restart mends nothing that /readyz finds.
  const Checks checks = health ? Checks() : checks_of(service_);
  const bool ok = all_pass(checks);
  std::string body = ok ? R"({"status":"ok"})" : node_.draining ? R"({"status":"draining"})" : R"({"status":"failed"})";
  if (verbose) body = in_words(checks);
  respond(ok ? 200 : 503,
          {{"Content-Type", verbose ? "text/plain; charset=utf-8" : "application/json"}, {"Cache-Control", "no-store"}},
          std::move(body));
  return true;
}

Result<void> Exchange::check_host() const {
  bool repeated = false;
  const auto host = asked_->head.headers.find("host", &repeated);
  if (host && !repeated && !host->empty() && *host == node_.accepted_host) return {};
  MCPT_CHECK(judge_host(repeated ? std::string_view() : host.value_or("")));
  node_.accepted_host = *host;
  return {};
}

Result<void> Exchange::judge_host(std::string_view given) const {
  std::string host, port;
  if (!split_host(given, host, port)) {
    return fail(Error(Status::invalid, "the Host header is malformed").with_code("invalid_request").with_http(400));
  }
  const Config& config = service_.config();
  bool listed = std::find(config.allowed_hosts.begin(), config.allowed_hosts.end(), host) != config.allowed_hosts.end();
  if (listed || (!config.loopback_only && config.allowed_hosts.empty())) return {};
  if (!is_loopback_name(host)) return fail(host_denied());
  if (config.listen_port != 0 && !port.empty() && port != std::to_string(config.listen_port))
    return fail(host_denied());
  return {};
}

// An Origin is allowed when it is the server's own (host and port of the Host; the scheme is judged only when we know
// it) or listed.
Result<void> Exchange::check_origin() {
  bool repeated = false;
  const auto given = asked_->head.headers.find("origin", &repeated);
  if (!given) return {};
  if (repeated) return fail(origin_denied());
  const std::string_view origin = *given;
  auto& listed = service_.config().allowed_origins;
  if (std::find(listed.begin(), listed.end(), origin) != listed.end()) {
    cors_origin_ = origin;
    return {};
  }
  std::string_view scheme = origin.substr(0, origin.find("://"));
  if (scheme.size() == origin.size() || (scheme != "http" && scheme != "https")) return fail(origin_denied());
  if (asked_->head.tls && scheme != "https") return fail(origin_denied());
  std::string host, port, own_host, own_port;
  if (!split_host(origin.substr(scheme.size() + 3), host, port) ||
      !split_host(*asked_->head.headers.find("host"), own_host, own_port)) {
    return fail(origin_denied());
  }
  std::string usual = scheme == "https" ? "443" : "80";
  if (port.empty()) port = usual;
  if (own_port.empty()) own_port = usual;
  if (host != own_host || port != own_port) return fail(origin_denied());
  return {};
}

bool Exchange::answer_preflight() {
  if (asked_->head.method != "OPTIONS" || cors_origin_.empty() || !asked_->head.headers.find("access-control-request-method"))
    return false;
  const auto wanted = asked_->head.headers.find("access-control-request-headers");
  respond(204,
          {{"Access-Control-Allow-Methods", "GET, POST, DELETE"},
           {"Access-Control-Allow-Headers",
            "authorization, content-type, accept, mcp-protocol-version, mcp-session-id, mcp-method, mcp-name, "
            "last-event-id" +
                param_headers(wanted.value_or(""))},
           {"Access-Control-Max-Age", "600"}},
          "");
  return true;
}

bool Exchange::answer_sign_in() {
  if (asked_->head.path.empty()) return false;
  bool well_known = asked_->head.path[0] == ".well-known";
  bool sign_in = asked_->head.path.size() == 1 &&
                 std::find(std::begin(kSignInPaths), std::end(kSignInPaths), asked_->head.path[0]) != std::end(kSignInPaths);
  if (!well_known && !sign_in) return false;
  respond(well_known ? 404 : 400, {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}},
          oauth_error(kNoSignIn));
  return true;
}

}  // namespace mcptoken::service
