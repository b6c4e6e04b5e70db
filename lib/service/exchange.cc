#include "service/exchange.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/limits.h"
#include "json/writer.h"
#include "service/instances.h"

namespace mcptoken::service {
namespace {

constexpr int64_t kStalledMs = 30'000;

// Paths of the OAuth dance that clients begin when a token is refused: they print what these say.
constexpr std::string_view kSignInPaths[] = {"register", "authorize", "token"};
constexpr std::string_view kNoSignIn =
    "this server has no sign-in: it takes project tokens. Create one with: mcpctl create mcptoken NAME -p PROJECT";

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

Error not_found() { return Error(Status::not_found, "there is nothing at this address").with_http(404); }

std::string oauth_error(std::string_view description) {
  std::string out;
  json::Writer(out)
      .begin_object()
      .member("error", "invalid_request")
      .member("error_description", description)
      .end_object();
  return out;
}

}  // namespace

// What an asynchronous handler of lib/control works with.
class Exchange::RestRunner final : public control::Runner {
 public:
  explicit RestRunner(Exchange& exchange) : exchange_(exchange) {}
  const control::Request& request() const override { return *exchange_.job_->request; }
  const control::Route& route() const override { return *exchange_.route_; }
  const control::Params& params() const override { return exchange_.job_->params; }
  const rbac::Principal& who() const override { return *exchange_.job_->who; }
  loop::Task<Result<control::Response>> in_transaction(
      Function<Result<control::Response>(control::Context&)> work) override {
    // Never read-only: a GET may record that it was made (a backup).
    return exchange_.service_.local()->transact(exchange_.node_, exchange_.job_, false, std::move(work),
                                                exchange_.link_.scope);
  }
  loop::Task<Result<std::string>> off_loop(Function<Result<std::string>()> work) override {
    return exchange_.service_.local()->off_loop(exchange_.node_, std::move(work), exchange_.link_.scope);
  }
  loop::Task<Result<control::Watched>> changes(int64_t since) override {
    Local& local = *exchange_.service_.local();
    exchange_.link_.listens = true;
    return poll_changes(local.poll_places(), exchange_.node_, exchange_.head_.peer_address, since, local.revision(),
                        exchange_.link_.scope);
  }
  loop::Task<Result<std::vector<control::Instance>>> instances() override {
    return all_instances(exchange_.node_.site, exchange_.link_.scope);
  }
  loop::Task<Result<json::Value>> instance_log(control::Instance instance, size_t lines) override {
    return log_of_instance(exchange_.node_.site, std::move(instance), lines, exchange_.link_.scope);
  }
  loop::Task<Result<bool>> end_instance(control::Instance instance) override {
    return gateway::end_instance(exchange_.node_.site, instance.place, std::move(instance.id), exchange_.link_.scope);
  }

 private:
  Exchange& exchange_;
};

Exchange::Exchange(Service& service, Node& node, Head head, std::unique_ptr<Sink> sink)
    : service_(service), node_(node), head_(std::move(head)), sink_(std::move(sink)), stalled_(node.loop) {}

Exchange::~Exchange() = default;

void Exchange::begin() {
  place_ = node_.exchanges.insert(node_.exchanges.end(), shared_from_this());
  auto id = crypto::random_id();
  request_id_ = id ? *id : "unknown";
  if (auto judged = judge_head(); !judged && !answered_) respond_error(judged.error());
}

Result<void> Exchange::judge_head() {
  MCPT_CHECK(parse_target(head_));
  if (answer_probe()) return {};
  if (node_.draining) return fail(Error(Status::unavailable, "the server is shutting down"));
  MCPT_CHECK(check_host());
  MCPT_CHECK(check_origin());
  if (answer_preflight() || answer_sign_in()) return {};
  auto target = mcp_target(head_.path);
  const bool rest = !target && head_.path.size() >= 2 && head_.path[0] == "api" && head_.path[1] == "v1";
  if (!rest) MCPT_CHECK(check_length(head_.content_length));
  if (target) {
    target_ = *std::move(target);
    return begin_mcp();
  }
  if (rest) return begin_rest();
  return fail(not_found());
}

bool Exchange::answer_probe() {
  bool health = head_.target == "/healthz", ready = head_.target == "/readyz";
  if (!health && !ready) return false;
  if (head_.method != "GET" && head_.method != "HEAD") {
    respond(405, {{"Allow", "GET, HEAD"}}, "");
    return true;
  }
  bool ok = health || !node_.draining;
  respond(ok ? 200 : 503, {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}},
          ok ? R"({"status":"ok"})" : R"({"status":"draining"})");
  return true;
}

Result<void> Exchange::check_host() const {
  auto hosts = head_.values("host");
  std::string host, port;
  if (hosts.size() != 1 || !split_host(hosts[0], host, port)) {
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
  auto origins = head_.values("origin");
  if (origins.empty()) return {};
  if (origins.size() > 1) return fail(origin_denied());
  std::string_view origin = origins[0];
  auto& listed = service_.config().allowed_origins;
  if (std::find(listed.begin(), listed.end(), origin) != listed.end()) {
    cors_origin_ = origin;
    return {};
  }
  std::string_view scheme = origin.substr(0, origin.find("://"));
  if (scheme.size() == origin.size() || (scheme != "http" && scheme != "https")) return fail(origin_denied());
  if (head_.tls && scheme != "https") return fail(origin_denied());
  std::string host, port, own_host, own_port;
  if (!split_host(origin.substr(scheme.size() + 3), host, port) ||
      !split_host(head_.values("host")[0], own_host, own_port)) {
    return fail(origin_denied());
  }
  std::string usual = scheme == "https" ? "443" : "80";
  if (port.empty()) port = usual;
  if (own_port.empty()) own_port = usual;
  if (host != own_host || port != own_port) return fail(origin_denied());
  return {};
}

bool Exchange::answer_preflight() {
  if (head_.method != "OPTIONS" || cors_origin_.empty() || head_.values("access-control-request-method").empty())
    return false;
  respond(204,
          {{"Access-Control-Allow-Methods", "GET, POST, DELETE"},
           {"Access-Control-Allow-Headers",
            "authorization, content-type, accept, mcp-protocol-version, mcp-session-id, mcp-method, mcp-name, "
            "last-event-id"},
           {"Access-Control-Max-Age", "600"}},
          "");
  return true;
}

bool Exchange::answer_sign_in() {
  if (head_.path.empty()) return false;
  bool well_known = head_.path[0] == ".well-known";
  bool sign_in = head_.path.size() == 1 &&
                 std::find(std::begin(kSignInPaths), std::end(kSignInPaths), head_.path[0]) != std::end(kSignInPaths);
  if (!well_known && !sign_in) return false;
  respond(well_known ? 404 : 400, {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}},
          oauth_error(kNoSignIn));
  return true;
}

// Asked when the credential has failed, so that nobody who has a good one ever waits for the guesses of others.
Error Exchange::refused(Error error) const {
  // Whoever asks about credentials that others present (a gateway, a proxy) has one address for all of them.
  if (!is_guess(error) || (route_ && route_->judges_bearer())) return error;
  const auto network = control::network_of(head_.peer_address);
  const int64_t wait = node_.guesses.wait_ms(network);
  if (wait > 0) return control::rate_limited("too many tokens from this address are unknown", wait);
  node_.guesses.count(network);
  return error;
}

// The gateway role has no management: what it is, it says, and nothing else.
Result<void> Exchange::begin_without_rest() {
  if (head_.method == "GET" && head_.target == "/api/v1/version") {
    std::string body;
    json::Writer(body).begin_object().member("version", service_.version()).member("api", "v1").end_object();
    respond(200, {{"Content-Type", "application/json; charset=utf-8"}}, std::move(body));
    return {};
  }
  return fail(not_found().with_hint("this is a gateway; its control plane is another program"));
}

Result<void> Exchange::check_length(int64_t bytes) const {
  if (bytes <= static_cast<int64_t>(body_limit_)) return {};
  const auto most = std::to_string(body_limit_ >> 20);
  return fail(Error(Status::too_large, "the body is larger than " + most + " MiB").with_http(413));
}

// A gateway may report what a token did for a while after it was revoked.
Result<std::optional<Identity>> Exchange::authenticate_rest() {
  Local& local = *service_.local();
  if (!route_ || route_->tokens != control::TokenAccess::reports) return local.authenticate(node_, head_);
  return authenticate_reporter(*node_.snapshot, local.control().keys(), head_, node_.loop.clock().wall_ms());
}

Result<void> Exchange::begin_rest() {
  if (!service_.local()) {
    MCPT_CHECK(check_length(head_.content_length));
    return begin_without_rest();
  }
  std::vector<std::string_view> allowed;
  route_ = control::match(head_.method, head_.path, params_, allowed);
  if (!route_ || route_->body_bytes <= body_limit_) MCPT_CHECK(check_length(head_.content_length));
  auto identity = authenticate_rest();
  if (!identity) return fail(refused(std::move(identity).error()));
  identity_ = *std::move(identity);
  Error unknown_caller = no_credentials().with_hint("log in: mcpctl login");
  if (!route_ && allowed.empty()) return fail(identity_ ? not_found() : unknown_caller);
  if (!route_) {
    std::string methods;
    for (auto method : allowed)
      methods += (methods.empty() ? "" : ", ") + std::string(method);
    respond(405, {{"Allow", methods}}, "");
    return {};
  }
  if (!identity_ && route_->permission.level != control::Permission::Level::open) return fail(unknown_caller);
  if (identity_) body_limit_ = control::body_limit(*node_.snapshot->policy, *identity_->who, *route_);
  MCPT_CHECK(check_length(head_.content_length));
  kind_ = Kind::rest;
  return {};
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
  running_ = false;
  if (!result && !answered_)
    respond_error(result.error());
  else if (!answered_)
    cut();
  node_.loop.defer([self = shared_from_this()] { self->finish_if_done(); });
}

loop::Task<Result<void>> Exchange::run_rest() {
  auto request = std::make_shared<control::Request>();
  request->method = head_.method;
  request->path = head_.path;
  auto query = parse_query(head_.query);
  if (!query) co_return fail(std::move(query).error());
  request->query = *std::move(query);
  request->body = std::move(body_);
  request->request_id = request_id_;
  request->client_address = head_.peer_address;
  auto agents = head_.values("user-agent");
  if (!agents.empty()) request->client_name = std::string(agents[0].substr(0, 128));
  auto versions = head_.values("if-match");
  if (!versions.empty()) {
    std::string_view text = trim(versions[0]);
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
    request->if_match = parse_decimal(text);
    if (!request->if_match) co_return fail(Error(Status::invalid, "If-Match holds no version").with_http(400));
  }
  if (!request->body.empty()) {
    auto types = head_.values("content-type");
    if (types.size() != 1 || !equals_ignoring_case(trim(types[0].substr(0, types[0].find(';'))), "application/json")) {
      co_return fail(Error(Status::invalid, "the content type must be application/json")
                         .with_code("unsupported_media_type")
                         .with_http(415));
    }
  }
  job_ = std::make_shared<Job>();
  if (identity_) {
    // The address belongs to this request, not to the principal that all requests of the token share.
    auto who = std::make_shared<rbac::Principal>(*identity_->who);
    who->client_address = head_.peer_address;
    job_->who = std::move(who);
    service_.local()->touch(node_, *identity_, head_.peer_address);
  } else {
    job_->who = std::make_shared<rbac::Principal>();
  }
  job_->request = std::move(request);
  job_->route = route_;
  job_->params = std::move(params_);
  if (route_->async_handler) {
    runner_ = std::make_unique<RestRunner>(*this);
    auto task = control::dispatch(service_.local()->control(), *runner_);
    respond_rest(co_await task);
  } else {
    Function<Result<control::Response>(control::Context&)> work = [&control = service_.local()->control(),
                                                                   route = route_](control::Context& context) {
      return control::dispatch(control, context, *route);
    };
    auto task = service_.local()->transact(node_, job_, route_->reads_only(), std::move(work), link_.scope);
    auto result = co_await task;
    if (result && result->watch) {
      auto watch = run_watch(*std::move(result->watch));
      co_return co_await watch;
    }
    respond_rest(std::move(result));
  }
  co_return Result<void>();
}

// Changes as they are published, until the client goes, the credential ends or the server stops.
loop::Task<Result<void>> Exchange::run_watch(control::Watch wanted) {
  start_stream({{"Content-Type", "text/event-stream"}, {"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}});
  write(": watching\n\n");
  watcher_.emplace(std::move(wanted), *job_->who);
  write(watcher_->news(*node_.snapshot));
  loop::Timer heartbeat(node_.loop);
  heartbeat.start(
      limits::kHeartbeatMs,
      [this] {
        auto self = shared_from_this();  // writing may end the stream, and with it this timer
        self->write(": still here\n\n");
        self->judge_again(*self->node_.snapshot);  // time ends a session without any change
      },
      limits::kHeartbeatMs);
  link_.listens = true;
  loop::Completion<void> never;
  auto ended = co_await never.wait(link_.scope);
  watcher_.reset();
  end_stream();
  co_return Result<void>();
}

void Exchange::respond_rest(Result<control::Response> result) {
  if (!result) {
    auto event = control::refusal_event(result.error(), *job_->who, *job_->request, node_.loop.clock().wall_ms());
    if (event) node_.ring->push(*std::move(event));
    return respond_error(result.error());
  }
  gateway::Headers headers = std::move(result->headers);
  if (!result->body.empty()) headers.emplace_back("Content-Type", "application/json; charset=utf-8");
  respond(result->status, std::move(headers), std::move(result->body));
}

void Exchange::respond_error(const Error& error) {
  if (answered_) return;  // a client that has gone is no failure of ours to log
  auto response = control::to_response(error, request_id_, route_);
  if (response.status == 500) service_.log().error("request " + request_id_ + ": " + error.message);
  gateway::Headers headers = std::move(response.headers);
  headers.emplace_back("Content-Type", "application/json; charset=utf-8");
  headers.emplace_back("X-Content-Type-Options", "nosniff");
  respond(response.status, std::move(headers), std::move(response.body));
}

void Exchange::respond(int status, gateway::Headers headers, std::string body) {
  if (answered_) return;
  answered_ = true;
  if (!sink_) return;
  if (!cors_origin_.empty()) {
    headers.emplace_back("Access-Control-Allow-Origin", cors_origin_);
    headers.emplace_back("Access-Control-Expose-Headers", "Mcp-Session-Id, WWW-Authenticate");
    headers.emplace_back("Vary", "Origin");
  }
  sink_->head(status, headers, static_cast<int64_t>(body.size()));
  if (!body.empty() && head_.method != "HEAD") sink_->write(body);
  sink_->end(true);
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
  size_t waiting = sink_->write(bytes);
  if (waiting > limits::kSendBufferBytes) return cut();
  if (waiting == 0)
    stalled_.stop();
  else if (!stalled_.running())
    stalled_.start(kStalledMs, [self = shared_from_this()] { self->cut(); });
}

void Exchange::writable() { stalled_.stop(); }

void Exchange::end_stream() {
  if (answered_) return;
  answered_ = true;
  stalled_.stop();
  if (sink_) sink_->end(true);
}

// A reader that is too slow, or work that ended without an answer.
void Exchange::cut() {
  if (answered_) return;
  answered_ = true;
  stalled_.stop();
  if (sink_) sink_->end(false);
  link_.scope.cancel(Error(Status::cancelled, "the client does not read"));
}

void Exchange::peer_closed() {
  auto self = shared_from_this();
  sink_.reset();
  answered_ = true;
  stalled_.stop();
  if (link_.cancel_on_close) link_.scope.cancel(Error(Status::cancelled, "the client has gone"));
}

void Exchange::release() {
  auto self = shared_from_this();
  released_ = true;
  if (sink_) {
    sink_.reset();
    if (!answered_ && link_.cancel_on_close) link_.scope.cancel(Error(Status::cancelled, "the client has gone"));
    answered_ = true;
  }
  stalled_.stop();
  finish_if_done();
}

const Identity* Exchange::holder() const {
  if (!running_) return nullptr;
  if (kind_ == Kind::mcp) return access_ ? &access_->identity : nullptr;
  return watcher_ ? &*identity_ : nullptr;
}

void Exchange::judge_again(const Snapshot& snapshot) {
  // A management request under way ends with its own answer: it may be the one that ended the credential.
  const Identity* identity = holder();
  if (!identity) return;
  auto self = shared_from_this();
  auto valid = still_valid(snapshot, *identity, node_.loop.clock().wall_ms());
  if (!valid) return link_.scope.cancel(std::move(valid).error());
  if (!watcher_) return;
  if (auto news = watcher_->news(snapshot); !news.empty()) write(news);
}

void Exchange::finish_if_done() {
  if (!released_ || running_ || place_ == std::list<std::shared_ptr<Exchange>>::iterator()) return;
  auto place = std::exchange(place_, {});
  // The list's reference may be the last but the caller's: freed at the end of the turn, never inside a call on it.
  node_.loop.defer([self = std::move(*place)] {});
  node_.exchanges.erase(place);
}

}  // namespace mcptoken::service
