#include "service/exchange.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/log.h"
#include "json/writer.h"

namespace mcptoken::service {
namespace {

constexpr int64_t kStalledMs = 30'000;
constexpr int kClientGone = 499;  // as nginx has it: no answer was sent

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

Exchange::Exchange(Service& service, Node& node, Head head, std::unique_ptr<Sink> sink)
    : service_(service), node_(node), asked_(std::make_unique<Asked>()), sink_(std::move(sink)), stalled_(node.loop) {
  asked_->head = std::move(head);
}

Exchange::~Exchange() = default;

Error Exchange::not_found() { return Error(Status::not_found, "there is nothing at this address").with_http(404); }

void Exchange::begin() {
  place_ = node_.exchanges.insert(node_.exchanges.end(), shared_from_this());
  request_id_ = node_.request_ids.next();
  began_ns_ = metrics::now_ns();
  node_.meter.active.add(1);
  if (auto judged = judge_head(); !judged && !answered_) respond_error(judged.error());
}

Result<void> Exchange::judge_head() {
  MCPT_CHECK(parse_target(asked_->head));
  if (answer_probe()) return {};
  if (node_.draining) return fail(Error(Status::unavailable, "the server is shutting down"));
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

// Asked when the credential has failed, so that nobody who has a good one ever waits for the guesses of others.
Error Exchange::refused(Error error) const {
  // Whoever asks about credentials that others present (a gateway, a proxy) has one address for all of them.
  if (!is_guess(error) || (route_ && route_->judges_bearer())) return error;
  const auto network = control::network_of(asked_->head.peer_address);
  const int64_t wait = node_.guesses.wait_ms(network);
  if (wait > 0) return control::rate_limited("too many tokens from this address are unknown", wait);
  node_.guesses.count(network);
  return error;
}

Result<void> Exchange::check_length(int64_t bytes) const {
  if (bytes <= static_cast<int64_t>(body_limit_)) return {};
  const auto most = std::to_string(body_limit_ >> 20);
  return fail(Error(Status::too_large, "the body is larger than " + most + " MiB").with_http(413));
}

void Exchange::body(std::string_view bytes) {
  if (answered_ || kind_ == Kind::none) return;
  if (auto good = check_length(static_cast<int64_t>(body_.size() + bytes.size())); !good) {
    respond_error(good.error());
    return;
  }
  body_.append(bytes);
}

void Exchange::end() {
  if (answered_ || body_complete_) return;
  body_complete_ = true;
  if (kind_ == Kind::mcp && access_) {
    auto task = run_mcp();
    start(std::move(task));
  } else if (kind_ == Kind::status) {
    auto task = run_status();
    start(std::move(task));
  } else if (kind_ == Kind::rest) {
    auto task = run_rest();
    start(std::move(task));
  }
}

void Exchange::start(loop::Task<Result<void>> task) {
  running_ = true;
  auto self = shared_from_this();  // the work may end, and the host let go, inside the call
  group_.spawn(std::move(task), [this](Result<void> result) { finished(std::move(result)); });
}

void Exchange::finished(Result<void> result) {
  if (result && link_.standing) return stand();
  running_ = false;
  if (!result && !answered_ && !streaming_)
    respond_error(result.error());
  else if (!answered_)
    cut();
  node_.loop.defer([self = shared_from_this()] { self->finish_if_done(); });
}

// From here on the request is its stream: what only its handling needed goes once that has returned. Of one that does not
// listen, but waits for an answer, the end is counted like that of a call.
void Exchange::stand() {
  node_.loop.defer([self = shared_from_this()] {
    if (!self->service_.access() && self->link_.listens) self->asked_.reset();  // else its line will tell
    // In process the bearer has done its work; elsewhere the control plane is asked about it again and again.
    if (self->access_ && !self->access_->to_control_plane) self->access_->identity.bearer = crypto::Secret();
    if (self->link_.scope.cancelled()) self->end_standing(self->link_.scope.reason());
    else self->stand_.emplace(*self);
  });
}

// Maybe inside a call of what stands, so that it goes at the end of the turn.
void Exchange::end_standing(const Error& reason) {
  if (!link_.standing || standing_ended_) return;
  standing_ended_ = true;
  if (!answered_) link_.standing->end(reason);
  node_.loop.defer([self = shared_from_this()] {
    self->drop_standing();
    self->running_ = false;
    self->finish_if_done();
  });
}

void Exchange::respond_error(const Error& error) {
  if (answered_) return;  // a client that has gone is no failure of ours to log
  auto response = control::to_response(error, request_id_, route_);
  if (kind_ != Kind::none || route_) node_.meter.refused(error, response.status);
  if (response.status == 500) service_.log().error("request " + request_id_ + ": " + error.message);
  gateway::Headers headers = std::move(response.headers);
  headers.emplace_back("Content-Type", "application/json; charset=utf-8");
  headers.emplace_back("X-Content-Type-Options", "nosniff");
  respond(response.status, std::move(headers), std::move(response.body));
}

// What is counted does not depend on what stands in the path.
std::string_view Exchange::route_text() const {
  if (route_) return route_->pattern;
  if (kind_ == Kind::mcp) {
    if (!target_.server.empty()) return "/api/v1/projects/:project/servers/:server/mcp";
    return target_.project.empty() ? "/mcp" : "/projects/:project/mcp";
  }
  if (asked_->head.path.size() != 1) return "";
  return asked_->head.path[0] == "healthz" ? "/healthz" : asked_->head.path[0] == "readyz" ? "/readyz" : "";
}

// Once, when nothing more is sent. `status` 499: the client left before.
void Exchange::note_end(int status) {
  node_.meter.active.add(-1);
  if (!link_.listens) node_.meter.answered(asked_->head.method, route_text(), status, began_ns_);
  if (service_.access()) log_access(status);
}

void Exchange::log_access(int status) const {
  const Identity* identity = access_ ? &access_->identity : identity_ ? &*identity_ : nullptr;
  const auto* who = identity ? identity->who.get() : nullptr;
  AccessRecord record;
  record.status = status;
  record.duration_us = (metrics::now_ns() - began_ns_) / 1000;
  record.sent_bytes = sent_bytes_;
  record.request_id = request_id_;
  record.client_address = asked_->head.peer_address;
  record.method = asked_->head.method;
  const std::string path = redact(std::string_view(asked_->head.target).substr(0, asked_->head.target.find('?')));
  record.path = path;
  record.route = route_text();
  std::string name;
  if (who) name = who->token_name.empty() ? who->user_email : who->project + "/" + who->token_name;
  record.principal = name;
  record.project = access_ ? std::string_view(access_->project->name) : std::string_view();
  record.mcp_method = link_.method;
  const std::string subject = redact(link_.subject);
  record.subject = subject;
  record.trace_id = link_.trace.id();
  service_.access()(record);
}

void Exchange::respond(int status, gateway::Headers headers, std::string body) {
  if (answered_) return;
  answered_ = true;
  const bool without_body = asked_->head.method == "HEAD";
  sent_bytes_ = without_body ? 0 : body.size();
  note_end(status);
  if (!sink_) return;
  if (!cors_origin_.empty()) {
    headers.emplace_back("Access-Control-Allow-Origin", cors_origin_);
    headers.emplace_back("Access-Control-Expose-Headers", "Mcp-Session-Id, WWW-Authenticate");
    headers.emplace_back("Vary", "Origin");
  }
  sink_->head(status, headers, static_cast<int64_t>(body.size()));
  // Any call may have been the one that found the client gone.
  if (sink_ && !body.empty() && !without_body) sink_->write(body);
  if (sink_) sink_->end(true);
}

void Exchange::start_stream(gateway::Headers headers) {
  if (answered_ || !sink_) return;
  streaming_ = true;
  if (!cors_origin_.empty()) {
    headers.emplace_back("Access-Control-Allow-Origin", cors_origin_);
    headers.emplace_back("Vary", "Origin");
  }
  sink_->head(200, headers, -1);
}

void Exchange::write(std::string_view bytes) {
  if (!sink_ || answered_) return;
  sent_bytes_ += bytes.size();
  size_t waiting = sink_->write(bytes);
  if (!sink_) return;  // the host found the client gone, and said so
  // One message may be as large as an answer can be: what waits beside it shows that the client is too slow.
  largest_ = waiting <= bytes.size() ? waiting : std::max(largest_, bytes.size());
  if (waiting > limits::kSendBufferBytes + largest_) return cut();
  if (waiting == 0)
    stalled_.stop();
  else if (!stalled_.running())
    stalled_.start(kStalledMs, [self = shared_from_this()] { self->cut(); });
}

// Until the next write, which comes with the heartbeat at the latest, and shows whether something waits still.
void Exchange::writable() { stalled_.stop(); }

void Exchange::end_stream() {
  if (answered_) return;
  answered_ = true;
  note_end(200);
  stalled_.stop();
  if (sink_) sink_->end(true);
}

// A reader that is too slow, or work that ended without an answer.
void Exchange::cut() {
  if (answered_) return;
  answered_ = true;
  note_end(streaming_ ? 200 : 500);
  stalled_.stop();
  if (sink_) sink_->end(false);
  if (link_.cancel_on_close) link_.scope.cancel(Error(Status::cancelled, "the client does not read"));
}

// The request came before its client's end: what that means for it is known when its work has begun.
void Exchange::forget_sink() {
  sink_.reset();
  if (staged_) staged_->go_on();
}

void Exchange::peer_closed() {
  auto self = shared_from_this();
  forget_sink();
  if (!std::exchange(answered_, true)) note_end(kClientGone);
  stalled_.stop();
  if (link_.cancel_on_close) link_.scope.cancel(Error(Status::cancelled, "the client has gone"));
}

void Exchange::release() {
  auto self = shared_from_this();
  released_ = true;
  if (sink_) {
    forget_sink();
    if (!std::exchange(answered_, true)) {
      note_end(kClientGone);
      if (link_.cancel_on_close) link_.scope.cancel(Error(Status::cancelled, "the client has gone"));
    }
  }
  stalled_.stop();
  finish_if_done();
}

const Identity* Exchange::holder() const {
  if (!running_ && answered_) return nullptr;
  if (kind_ == Kind::mcp) return access_ ? &access_->identity : nullptr;
  return watcher_ || traffic_ ? &*identity_ : nullptr;
}

void Exchange::cancel(Error reason) {
  if (running_) return link_.scope.cancel(std::move(reason));
  respond_error(reason);  // let in, and its body is still on the way
}

int64_t Exchange::judge_again(const Snapshot& snapshot) {
  // A management request under way ends with its own answer: it may be the one that ended the credential.
  const Identity* identity = holder();
  if (!identity) return INT64_MAX;
  auto self = shared_from_this();
  auto until = still_valid(snapshot, *identity, node_.loop.clock().wall_ms());
  if (!until) {
    cancel(std::move(until).error());
    return INT64_MAX;
  }
  if (watcher_) {
    if (auto news = watcher_->news(snapshot); !news.empty()) write(news);
  }
  return *until;
}

// Called for every token that may have changed: says nothing to a client that sees what it saw.
void Exchange::follow(std::shared_ptr<const gateway::ProjectView> project) {
  const auto& who = *access_->identity.who;
  auto seen = seen_of(std::move(project), who);
  if (!seen) return link_.scope.cancel(std::move(seen).error());
  project = *std::move(seen);
  const auto before = std::exchange(access_->project, project);
  if (same_servers(*before, *project) && before->policy->rights_digest(who) == project->policy->rights_digest(who)) return;
  link_.follow(std::move(project));
}

void Exchange::finish_if_done() {
  if (!released_ || running_ || place_ == std::list<std::shared_ptr<Exchange>>::iterator()) return;
  auto place = std::exchange(place_, {});
  // The list's reference may be the last but the caller's: freed at the end of the turn, never inside a call on it.
  node_.loop.defer([self = std::move(*place)] {});
  node_.exchanges.erase(place);
}

}  // namespace mcptoken::service
