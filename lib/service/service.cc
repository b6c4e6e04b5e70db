#include "service/service.h"

#include <algorithm>

#include "base/bytes.h"
#include "json/writer.h"
#include "loop/orphans.h"
#include "service/exchange.h"

namespace mcptoken::service {

namespace {

constexpr int64_t kOrphansMs = 250;
constexpr int64_t kLastOrphansMs = 200;  // for all of them to end, each with what it had started

bool has_ended(const Snapshot& snapshot, const rbac::Principal& who, int64_t now_ms) {
  Identity identity;
  identity.who = std::make_shared<const rbac::Principal>(who);
  return !from_hex(who.token_sha, identity.sha) || !still_valid(snapshot, identity, now_ms);
}

}  // namespace

Result<std::unique_ptr<Service>> Service::create(Config config, Log log, std::string version) {
  MCPT_CHECK(crypto::init());
  std::unique_ptr<Service> service(new Service(std::move(config), log, version));
  const Config& settings = service->config_;
  MCPT_TRY(auto addresses, http::AddressPolicy::parse(settings.upstream_allow));
  if (service->config_.control_plane) service->config_.control_plane->ca_file = settings.upstream_ca_file;
  if (settings.control_plane)
    service->open_remote();
  else
    MCPT_CHECK(service->open_local());
  gateway::Options options;
  json::Writer(options.client_info).begin_object().member("name", "mcpd").member("version", version).end_object();
  options.version = version;
  options.data_dir = settings.data_dir;
  options.backoff_ms = settings.upstream_backoff_ms;
  options.ungate_ms = settings.token_ungate_ttl_ms;
  options.stages = settings.stages;
  options.models = settings.models;
  options.cache_dir = settings.cache_dir;
  if (options.cache_dir.empty() && !settings.data_dir.empty()) options.cache_dir = settings.data_dir + "/cache";
  options.require_sandbox = settings.require_sandbox;
  options.ca_file = settings.upstream_ca_file;
  options.addresses = std::make_shared<const http::AddressPolicy>(std::move(addresses));
  options.log = log;
  service->gateway_ = std::make_unique<gateway::Gateway>(std::move(options), service->authority());
  if (settings.adopt_orphans) MCPT_CHECK(loop::adopt_orphans());
  return service;
}

Result<void> Service::open_local() {
  LocalOptions options;
  options.data_dir = config_.data_dir;
  options.key_file = config_.key_file;
  options.settings.ceiling = config_.ceiling;
  options.settings.tool_grant = config_.tool_grant;
  options.settings.max_token_ttl_ms = config_.max_token_ttl_ms;
  options.settings.max_tokens = config_.max_tokens;
  options.settings.audit_retention_ms = config_.audit_retention_ms;
  options.settings.version = version_;
  for (const auto& stage : config_.stages)
    options.settings.stages.push_back(stage->name);
  options.strict_audit = config_.strict_audit;
  options.log = log_;
  MCPT_TRY(local_, Local::open(std::move(options)));
  local_->on_snapshot([this](const Snapshot& snapshot, int64_t before, Node& node) {
    int64_t until = INT64_MAX;
    const auto named = snapshot.changes->since(before);  // nothing: any token may be another than it was
    const auto concerns = [&](const Identity& holder) {
      return !named || (!named->empty() && std::binary_search(named->begin(), named->end(),
                                                              control::watch_id(local_->control().keys(), holder.sha)));
    };
    auto running = node.exchanges;  // judging may end some of them
    for (auto& exchange : running) {
      until = std::min(until, exchange->judge_again(snapshot));
      if (!exchange->follows() || !concerns(*exchange->holder())) continue;
      exchange->follow(snapshot.projects->find(exchange->holder()->who->project_id)->second);
    }
    node.site.parking.end_if([&](const rbac::Principal& who) { return has_ended(snapshot, who, node.loop.clock().wall_ms()); },
                             Error(Status::unauthenticated, "the token has ended"));
    node.watchers.wake();
    if (std::exchange(node.servers, snapshot.servers) != snapshot.servers) {
      node.site.watches.keep_only(*snapshot.servers);
      node.site.upstreams.mark_stale(*snapshot.servers);
      node.site.catalogue.forget_stale(*snapshot.servers);
    }
    return until;
  });
  return {};
}

void Service::open_remote() {
  VerdictOptions options;
  options.plane = *config_.control_plane;
  options.positive_ms = config_.token_positive_ttl_ms;
  options.negative_ms = config_.token_negative_ttl_ms;
  remote_ = std::make_unique<Remote>(std::move(options), log_);
}

Service::~Service() {
  // No loop runs any more. The store finishes what it has, then everything goes, users before what they use.
  if (local_) local_->close();
  for (auto& node : nodes_) {
    for (auto& exchange : node->exchanges)
      exchange->drop_standing();
    node->exchanges.clear();
  }
  remote_.reset();
  gateway_.reset();
  orphans_.reset();
  nodes_.clear();
  if (config_.adopt_orphans) loop::end_all_orphans(kLastOrphansMs);
}

Result<void> Service::before_first_exchange() const {
  if (opened_.load(std::memory_order_relaxed)) return fail(Status::misuse, "only before the first exchange");
  return {};
}

Result<void> Service::on_access(std::function<void(const AccessRecord&)> callback) {
  MCPT_CHECK(before_first_exchange());
  on_access_ = std::move(callback);
  return {};
}

Result<void> Service::attach(loop::Loop& loop) {
  const std::lock_guard lock(attaching_);
  MCPT_CHECK(before_first_exchange());
  if (node_of(loop)) return fail(Status::misuse, "the loop is attached already");
  auto& site = gateway_->attach(loop);
  nodes_.push_back(std::make_unique<Node>(loop, site, local_ ? &local_->add_ring() : nullptr));
  authority().attach(*nodes_.back());
  if (config_.adopt_orphans && !orphans_) {
    orphans_ = std::make_unique<loop::Timer>(loop);
    orphans_->start(
        kOrphansMs, [] { loop::end_orphans(); }, kOrphansMs);
  }
  return {};
}

Node* Service::node_of(const loop::Loop& loop) {
  for (auto& node : nodes_) {
    if (&node->loop == &loop) return node.get();
  }
  return nullptr;
}

std::shared_ptr<Exchange> Service::open(Node& node, Head head, std::unique_ptr<Sink> sink) {
  if (!opened_.load(std::memory_order_relaxed)) opened_.store(true, std::memory_order_relaxed);
  auto exchange = std::make_shared<Exchange>(*this, node, std::move(head), std::move(sink));
  exchange->begin();
  return exchange;
}

void Service::drain(Node& node, int64_t grace_ms, Function<void()> done) {
  node.draining = true;
  auto task = drain_node(node, grace_ms);
  node.tasks.spawn(std::move(task), [done = std::move(done)](Result<void>) mutable { done(); });
}

loop::Task<Result<void>> Service::drain_node(Node& node, int64_t grace_ms) {
  loop::Scope scope;
  const Error reason(Status::unavailable, "the server is shutting down");
  int64_t until_ms = node.loop.now_ms() + grace_ms;
  // Servers whose home is here may be at work for requests of other loops, so all loops' requests end first.
  for (;;) {
    for (auto& exchange : std::list(node.exchanges)) {  // what was let in before may begin to listen yet
      if (exchange->listens()) exchange->cancel(reason);
    }
    const bool busy = std::any_of(node.exchanges.begin(), node.exchanges.end(), [](const auto& one) { return !one->is_late(); });
    if (!busy && !std::exchange(node.quiet, true)) ++quiet_nodes_;
    if (quiet_nodes_ == nodes_.size()) break;
    if (node.loop.now_ms() >= until_ms) {
      auto rest = node.exchanges;
      for (auto& exchange : rest)
        exchange->cancel(reason);
      if (node.loop.now_ms() >= until_ms + 1'000) break;
    }
    loop::Sleep pause(node.loop, 5);
    auto slept = co_await pause.wait(scope);
    if (!slept) break;
  }
  auto flushing = authority().flush(node, scope);
  auto flushed = co_await flushing;
  if (!flushed) log_.warn("audit events: " + flushed.error().message);
  auto stopping = gateway_->stop(node.site, scope);
  auto stopped = co_await stopping;
  co_return stopped;
}

}  // namespace mcptoken::service
