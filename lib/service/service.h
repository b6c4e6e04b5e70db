// The whole: one control plane (here or elsewhere), one gateway, a node per loop.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/limits.h"
#include "gateway/responder.h"
#include "gateway/site.h"
#include "service/auth.h"
#include "service/health.h"
#include "service/local.h"
#include "service/node.h"
#include "service/remote.h"

namespace mcptoken::service {

struct Config {
  Config() = default;
  std::string data_dir, key_file;
  std::vector<std::shared_ptr<const gateway::LlmSpec>> models;  // language models for all projects
  gateway::StageTypes stages;                // content stages of the program's own
  std::string cache_dir;                     // of the pipeline cache; "": below the data directory
  std::vector<std::string> allowed_hosts;    // names without port, lower case
  std::vector<std::string> allowed_origins;  // "https://host[:port]"
  std::string upstream_allow;                // CIDRs
  std::string upstream_ca_file;              // authorities that are trusted instead of the system's
  rbac::Ceiling ceiling = rbac::Ceiling::live;
  rbac::ToolGrant tool_grant = rbac::ToolGrant::view;
  std::optional<int64_t> max_token_ttl_ms;
  int64_t max_tokens = limits::kTokensPerHolder;
  bool strict_audit = false;
  std::optional<int64_t> audit_retention_ms = 90 * 24 * 3600'000LL;  // nothing: for ever
  bool require_sandbox = false;
  bool adopt_orphans = false;                // what servers leave running ends with them; see loop/orphans.h
  int64_t upstream_backoff_ms = 30'000;      // the longest pause before a server that failed is asked again
  bool loopback_only = true;                 // the Host of a request must be a loopback name or allowed
  uint16_t listen_port = 0;                  // that a Host may name; 0: any
  // The gateway role: a control plane elsewhere, in place of a data directory and all that is kept in one.
  std::optional<PlaneAddress> control_plane;
  int64_t token_positive_ttl_ms = 30'000;
  int64_t token_negative_ttl_ms = 5'000;
  int64_t token_ungate_ttl_ms = 3600'000;    // how long a gate stays open for a token
};

// How answers leave. On the exchange's loop; never after the exchange was released.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void head(int status, const gateway::Headers& headers, int64_t length) = 0;  // -1: a stream
  virtual size_t write(std::string_view bytes) = 0;  // bytes that wait in the host's buffer
  virtual void end(bool ok) = 0;
};

// One request, for a log of accesses: never a credential, a body, a query or an argument.
struct AccessRecord {
  int status = 0;  // 499: the client left before it was answered
  int64_t duration_us = 0;
  uint64_t sent_bytes = 0;
  std::string_view request_id, client_address, method, path, route, principal, project, mcp_method, subject, trace_id;
};

class Service {
 public:
  static Result<std::unique_ptr<Service>> create(Config config, Log log, std::string version);
  ~Service();

  Result<void> attach(loop::Loop& loop);  // from several threads at once, if need be
  Node* node_of(const loop::Loop& loop);
  void drain(Node& node, int64_t grace_ms, Function<void()> done);

  // Judges the head; the answer may come inside the call.
  std::shared_ptr<Exchange> open(Node& node, Head head, std::unique_ptr<Sink> sink);

  const Config& config() const { return config_; }
  Authority& authority() { return local_ ? static_cast<Authority&>(*local_) : *remote_; }
  Local* local() { return local_.get(); }  // null in the gateway role
  Remote* remote() { return remote_.get(); }  // null elsewhere
  // Called on the loops.
  Result<void> on_access(std::function<void(const AccessRecord&)> callback);
  const std::function<void(const AccessRecord&)>& access() const { return on_access_; }
  const std::string& version() const { return version_; }
  gateway::Gateway& gateway() { return *gateway_; }
  const Log& log() const { return log_; }

  // --- any thread, once all loops are attached
  template <class Each>
  void each_node(Each each) const {
    for (auto& node : nodes_) each(*node);
  }

 private:
  Service(Config config, Log log, std::string version)
      : config_(std::move(config)), log_(std::move(log)), version_(std::move(version)) {}
  Result<void> open_local();
  void open_remote();
  Result<void> before_first_exchange() const;
  loop::Task<Result<void>> drain_node(Node& node, int64_t grace_ms);

  Config config_;
  Log log_;
  std::string version_;
  std::function<void(const AccessRecord&)> on_access_;
  // One of the two.
  std::unique_ptr<Local> local_;
  std::unique_ptr<Remote> remote_;
  std::unique_ptr<gateway::Gateway> gateway_;
  std::mutex attaching_;
  std::atomic<bool> opened_{false};  // an exchange has been: what the loops read without a lock changes no more
  std::vector<std::unique_ptr<Node>> nodes_;
  std::atomic<size_t> quiet_nodes_{0};
  std::unique_ptr<loop::Timer> orphans_;  // on the first loop
};

}  // namespace mcptoken::service
