#include "service/service.h"

#include "json/writer.h"
#include "service/exchange.h"

namespace mcptoken::service {

Result<std::unique_ptr<Service>> Service::create(Config config, Log log, std::string version) {
  std::unique_ptr<Service> service(new Service(std::move(config), log));
  const Config& settings = service->config_;
  MCPT_TRY(auto addresses, http::AddressPolicy::parse(settings.upstream_allow));
  LocalOptions local;
  local.data_dir = settings.data_dir;
  local.key_file = settings.key_file;
  local.settings.ceiling = settings.ceiling;
  local.settings.tool_grant = settings.tool_grant;
  local.settings.max_token_ttl_ms = settings.max_token_ttl_ms;
  local.settings.version = version;
  local.strict_audit = settings.strict_audit;
  local.log = log;
  MCPT_TRY(service->local_, Local::open(std::move(local)));
  service->local_->on_snapshot([](const Snapshot& snapshot, Node& node) {
    auto running = node.exchanges;  // judging may end some of them
    for (auto& exchange : running) exchange->judge_again(snapshot);
    node.watchers.wake();
  });
  gateway::Options options;
  json::Writer(options.client_info).begin_object().member("name", "mcpd").member("version", version).end_object();
  options.version = version;
  options.data_dir = settings.data_dir;
  options.require_sandbox = settings.require_sandbox;
  options.addresses = std::make_shared<const http::AddressPolicy>(std::move(addresses));
  options.log = log;
  service->gateway_ = std::make_unique<gateway::Gateway>(std::move(options), *service->local_);
  return service;
}

Service::~Service() {
  // No loop runs any more. The store finishes what it has, then everything goes, users before what they use.
  if (local_) local_->close();
  for (auto& node : nodes_) node->exchanges.clear();
  gateway_.reset();
  nodes_.clear();
}

Result<void> Service::attach(loop::Loop& loop) {
  if (node_of(loop)) return fail(Status::misuse, "the loop is attached already");
  auto& site = gateway_->attach(loop);
  nodes_.push_back(std::make_unique<Node>(loop, site, local_->add_ring(), local_->snapshot()));
  local_->add_node(*nodes_.back());
  return {};
}

Node* Service::node_of(const loop::Loop& loop) {
  for (auto& node : nodes_) {
    if (&node->loop == &loop) return node.get();
  }
  return nullptr;
}

std::shared_ptr<Exchange> Service::open(Node& node, Head head, std::unique_ptr<Sink> sink) {
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
  auto open = node.exchanges;
  for (auto& exchange : open) {
    if (exchange->listens()) exchange->cancel(Error(Status::unavailable, "the server is shutting down"));
  }
  open.clear();
  int64_t until_ms = node.loop.now_ms() + grace_ms;
  while (!node.exchanges.empty()) {
    if (node.loop.now_ms() >= until_ms) {
      auto rest = node.exchanges;
      for (auto& exchange : rest) exchange->cancel(Error(Status::unavailable, "the server is shutting down"));
      if (node.loop.now_ms() >= until_ms + 1'000) break;
    }
    loop::Sleep pause(node.loop, 5);
    auto slept = co_await pause.wait(scope);
    if (!slept) break;
  }
  auto stopping = gateway_->stop(node.site, scope);
  auto stopped = co_await stopping;
  co_return stopped;
}

}  // namespace mcptoken::service
