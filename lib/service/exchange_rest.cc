// Requests to the control plane: judged on the head, run in transactions once the body is there.
#include "base/bytes.h"
#include "base/limits.h"
#include "base/log.h"
#include "json/writer.h"
#include "service/cache_view.h"
#include "service/exchange.h"
#include "service/instances.h"
#include "service/status_view.h"

namespace mcptoken::service {
namespace {

const gateway::Headers kEventStream = {
    {"Content-Type", "text/event-stream"}, {"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}};

// While it is there somebody watches traffic.
struct WatchesTraffic {
  WatchesTraffic(Local& local, const std::string& project) : local_(local), project_(project) {
    local_.count_traffic_watchers(project_, +1);
  }
  ~WatchesTraffic() { local_.count_traffic_watchers(project_, -1); }
  WatchesTraffic(const WatchesTraffic&) = delete;
  WatchesTraffic& operator=(const WatchesTraffic&) = delete;
  Local& local_;
  const std::string project_;
};

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
    return transact(Local::Mode::write, std::move(work));
  }
  loop::Task<Result<control::Response>> reading(Function<Result<control::Response>(control::Context&)> work) override {
    return transact(Local::Mode::read, std::move(work));
  }
  loop::Task<Result<control::Response>> with_reserve(
      Function<Result<control::Response>(control::Context&)> work) override {
    return transact(Local::Mode::reserve, std::move(work));
  }
  loop::Task<Result<std::string>> off_loop(Function<Result<std::string>()> work) override {
    return exchange_.service_.local()->off_loop(exchange_.node_, std::move(work), exchange_.link_.scope);
  }
  loop::Task<Result<control::Watched>> changes(int64_t since) override {
    Local& local = *exchange_.service_.local();
    exchange_.link_.listens = true;
    return poll_changes(local.poll_places(), exchange_.node_, exchange_.asked_->head.peer_address, since,
                        local.revision(), exchange_.link_.scope);
  }
  loop::Task<Result<control::Links>> links() override {
    return exchange_.service_.local()->links(exchange_.node_, exchange_.link_.scope);
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
  loop::Task<Result<json::Value>> status(std::vector<std::string> project_ids) override {
    std::vector<gateway::ModelOwner> owners;
    for (auto& id : project_ids) {
      const auto project = exchange_.node_.snapshot->projects->find(id);
      if (project != exchange_.node_.snapshot->projects->end() && project->second->llm)
        owners.push_back({id, project->second->name, project->second->llm});
    }
    auto looking = status_of_models(exchange_.node_.site, std::move(owners), Details::shown, exchange_.link_.scope);
    MCPT_CO_TRY(auto models, co_await looking);
    co_return status_of(exchange_.service_.gateway(), false, std::move(models));
  }
  loop::Task<Result<json::Value>> cache_stats() override {
    return stats_of_cache(exchange_.node_.site, exchange_.link_.scope);
  }
  loop::Task<Result<std::vector<control::CacheEntry>>> cache_entries() override {
    return entries_of_cache(exchange_.node_.site, exchange_.link_.scope);
  }
  loop::Task<Result<int64_t>> clear_cache(std::string project_id) override {
    return clear_the_cache(exchange_.node_.site, std::move(project_id), exchange_.link_.scope);
  }

 private:
  loop::Task<Result<control::Response>> transact(Local::Mode mode,
                                                 Function<Result<control::Response>(control::Context&)> work) {
    return exchange_.service_.local()->transact(exchange_.node_, exchange_.job_, mode, std::move(work),
                                                exchange_.link_.scope);
  }
  Exchange& exchange_;
};

// The gateway role has no management: what it is, it says, and nothing else.
Result<void> Exchange::begin_without_rest() {
  if (asked_->head.method == "GET" && asked_->head.target == "/api/v1/version") {
    std::string body;
    json::Writer(body).begin_object().member("version", service_.version()).member("api", "v1").end_object();
    respond(200, {{"Content-Type", "application/json; charset=utf-8"}}, std::move(body));
    return {};
  }
  if (asked_->head.method == "GET" && asked_->head.target == "/api/v1/status") {
    kind_ = Kind::status;
    return {};
  }
  return fail(not_found().with_hint("this is a gateway; its control plane is another program"));
}

// A gateway may report what a token did for a while after it was revoked.
Result<std::optional<Identity>> Exchange::authenticate_rest() {
  Local& local = *service_.local();
  if (!route_ || route_->tokens != control::TokenAccess::reports) return local.authenticate(node_, asked_->head);
  return authenticate_reporter(*node_.snapshot, local.control().keys(), asked_->head, node_.loop.clock().wall_ms());
}

Result<void> Exchange::begin_rest() {
  if (!service_.local()) {
    MCPT_CHECK(check_length(asked_->head.content_length));
    return begin_without_rest();
  }
  std::vector<std::string_view> allowed;
  route_ = control::match(asked_->head.method, asked_->head.path, params_, allowed);
  if (!route_ || route_->body_bytes <= body_limit_) MCPT_CHECK(check_length(asked_->head.content_length));
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
  MCPT_CHECK(check_length(asked_->head.content_length));
  kind_ = Kind::rest;
  if (identity_) node_.meter.admitted();
  return {};
}

Result<std::shared_ptr<control::Request>> Exchange::read_request() {
  auto request = std::make_shared<control::Request>();
  request->method = asked_->head.method;
  request->path = asked_->head.path;
  auto query = parse_query(asked_->head.query);
  if (!query) return fail(std::move(query).error());
  request->query = *std::move(query);
  MCPT_CHECK(control::read_dry_run(*request, *route_));
  request->body = std::move(body_);
  request->request_id = request_id_;
  request->client_address = asked_->head.peer_address;
  if (const auto agent = asked_->head.headers.find("user-agent")) request->client_name = redact(agent->substr(0, 128));
  if (const auto version = asked_->head.headers.find("if-match")) {
    std::string_view text = trim(*version);
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
    request->if_match = parse_decimal(text);
    if (!request->if_match) return fail(Error(Status::invalid, "If-Match holds no version").with_http(400));
  }
  if (!request->body.empty()) {
    bool repeated = false;
    const auto type = asked_->head.headers.find("content-type", &repeated);
    if (!type || repeated || !equals_ignoring_case(trim(type->substr(0, type->find(';'))), "application/json")) {
      return fail(Error(Status::invalid, "the content type must be application/json")
                      .with_code("unsupported_media_type")
                      .with_http(415));
    }
  }
  return request;
}

void Exchange::make_job(std::shared_ptr<control::Request> request) {
  job_ = std::make_shared<Job>();
  if (identity_) {
    // The address belongs to this request, not to the principal that all requests of the token share.
    auto who = std::make_shared<rbac::Principal>(*identity_->who);
    who->client_address = asked_->head.peer_address;
    job_->who = std::move(who);
    service_.local()->touch(node_, *identity_, asked_->head.peer_address);
  } else {
    job_->who = std::make_shared<rbac::Principal>();
  }
  job_->request = std::move(request);
  job_->route = route_;
  job_->params = std::move(params_);
}

// The credential was good when the head came; the body may have taken its time.
Result<void> Exchange::judge_rest_again() const {
  if (!identity_ || identity_->who->kind == rbac::PrincipalKind::watcher) return {};
  if (route_->tokens == control::TokenAccess::reports) return {};
  MCPT_CHECK(still_valid(*node_.snapshot, *identity_, node_.loop.clock().wall_ms()));
  return {};
}

loop::Task<Result<void>> Exchange::run_rest() {
  MCPT_CO_CHECK(judge_rest_again());
  auto request = read_request();
  if (!request) co_return fail(std::move(request).error());
  make_job(*std::move(request));
  if (route_->async_handler) {
    runner_ = std::make_unique<RestRunner>(*this);
    auto task = control::dispatch(service_.local()->control(), *runner_);
    respond_rest(co_await task);
  } else {
    Function<Result<control::Response>(control::Context&)> work = [&control = service_.local()->control(),
                                                                   route = route_](control::Context& context) {
      return control::dispatch(control, context, *route);
    };
    const auto mode = route_->reads_only() ? Local::Mode::read : Local::Mode::write;
    auto task = service_.local()->transact(node_, job_, mode, std::move(work), link_.scope);
    auto result = co_await task;
    if (result && result->watch) {
      auto watch = run_watch(*std::move(result->watch));
      co_return co_await watch;
    }
    if (result && route_->handler == control::watch_traffic) {
      auto traffic = run_traffic(control::traffic_watch(*job_->request));
      co_return co_await traffic;
    }
    respond_rest(std::move(result));
  }
  co_return Result<void>();
}

// Changes as they are published, until the client goes, the credential ends or the server stops.
loop::Task<Result<void>> Exchange::run_watch(control::Watch wanted) {
  watcher_ = std::make_unique<Watcher>(std::move(wanted), *job_->who);
  start_stream(kEventStream);
  write(": watching\n\n");
  write(watcher_->news(*node_.snapshot));
  auto staying = stay();
  auto ended = co_await staying;
  watcher_.reset();
  co_return ended;
}

// Messages of MCP clients as they are answered, in the same way.
loop::Task<Result<void>> Exchange::run_traffic(control::TrafficWatch wanted) {
  traffic_.emplace(std::move(wanted));
  WatchesTraffic counted(*service_.local(), traffic_->project);
  note_watch();
  start_stream(kEventStream);
  write(": watching\n\n");
  auto staying = stay();
  auto ended = co_await staying;
  traffic_.reset();
  co_return ended;
}

// That somebody looks at what others say is a matter of record. A client that connects again and again is noted once in
// a while.
void Exchange::note_watch() {
  const std::string key = job_->who->user_id + "\n" + traffic_->project;
  if (node_.watchings.wait_ms(key) > 0) return;
  node_.watchings.count(key);
  auto event =
      audit::event_by(*job_->who, audit::Kind::traffic_watched, audit::Outcome::ok, node_.loop.clock().wall_ms());
  event.project = traffic_->project;
  event.subject = traffic_->project.empty() ? "traffic" : "project/" + traffic_->project;
  event.client_address = asked_->head.peer_address;
  event.request_id = request_id_;
  node_.ring->push(std::move(event));
}

Hearing Exchange::hearing_of(const std::string& project) const {
  return traffic_ ? hearing(*node_.snapshot, *traffic_, *job_->who, project) : Hearing::nothing;
}

void Exchange::hear(std::string_view event) {
  if (traffic_ && !event.empty()) write(event);
}

// Keeps a stream open until its client goes, the credential ends or the server stops.
loop::Task<Result<void>> Exchange::stay() {
  loop::Timer heartbeat(node_.loop);
  heartbeat.start(
      limits::kHeartbeatMs,
      [this] {
        auto self = shared_from_this();  // writing may end the stream, and with it this timer
        self->write(": still here\n\n");
      },
      limits::kHeartbeatMs);
  link_.listens = true;
  loop::Completion<void> never;
  auto ended = co_await never.wait(link_.scope);
  end_stream();
  co_return Result<void>();
}

// Open to everybody, so it names nothing.
loop::Task<Result<void>> Exchange::run_status() {
  auto looking = status_of_models(node_.site, {}, Details::hidden, link_.scope);
  MCPT_CO_TRY(auto models, co_await looking);
  const auto status = status_of(service_.gateway(), true, std::move(models));
  respond(200, {{"Content-Type", "application/json; charset=utf-8"}, {"Cache-Control", "no-store"}},
          json::to_text(status));
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

}  // namespace mcptoken::service
