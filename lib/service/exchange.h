// One request, from its head to the end of its answer.
//
// Invariants: one answer; the sink is never called after the host released the exchange or the client has gone; the
// object lives until both the host and the work have let go of it.
#pragma once

#include <memory>
#include <string>

#include "base/limits.h"
#include "control/runner.h"
#include "gateway/endpoint.h"
#include "loop/stage.h"
#include "service/authority.h"
#include "service/mcp_target.h"
#include "service/service.h"
#include "service/traffic.h"

namespace mcptoken::service {

class Exchange final : public gateway::Responder, public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(Service& service, Node& node, Head head, std::unique_ptr<Sink> sink);
  ~Exchange() override;

  // --- the host's side
  void begin();
  void body(std::string_view bytes);
  void end();
  void writable();
  void peer_closed();
  void release();
  bool answered() const { return answered_; }

  // --- the gateway's side
  void respond(int status, gateway::Headers headers, std::string body) override;
  void start_stream(gateway::Headers headers) override;
  void write(std::string_view bytes) override;
  void end_stream() override;
  bool gone() const override { return !sink_ || answered_; }

  // A new snapshot has come, or time may have ended the credential. Returns when time will, by the wall clock.
  int64_t judge_again(const Snapshot& snapshot);
  // To be told of it if this is a stream of traffic.
  bool hears() const { return traffic_.has_value(); }
  Hearing hearing_of(const std::string& project) const;
  void hear(std::string_view event);
  // Whose rights an admitted MCP request or a stream of changes depends on, or nothing.
  const Identity* holder() const;
  void cancel(Error reason);
  // Whether the answer is a stream that has to know when its caller sees another project than before.
  bool follows() const { return link_.follow && !answered_ && !link_.scope.cancelled(); }
  void follow(std::shared_ptr<const gateway::ProjectView> project);
  // What stands uses the gateway: it goes before it does, also when no loop runs any more.
  void drop_standing() { link_.standing.reset(); }
  bool is_late() const { return link_.late; }  // the server stops, and does not wait for it
  bool listens() const { return link_.listens && !answered_; }  // an open stream that waits for nothing in particular

 private:
  enum class Kind : uint8_t { none, mcp, rest, status };
  class RestRunner;
  // What was asked, and what only its handling needs.
  struct Asked {
    Head head;
    gateway::HttpRequest mcp;
    std::optional<gateway::Caller> caller;
    std::shared_ptr<const gateway::ProjectView> project;  // that it was admitted to
  };
  // Ends what stands when the link's scope is cancelled.
  struct Stand final : loop::Scope::Hook {
    explicit Stand(Exchange& exchange) : exchange_(exchange) { attach(exchange.link_.scope); }
    void on_cancel(const Error& reason) override { exchange_.end_standing(reason); }
    Exchange& exchange_;
  };

  static Error not_found();
  Error no_such_server() const;
  Result<void> judge_head();
  Result<void> check_host() const;
  Result<void> judge_host(std::string_view given) const;  // "" is malformed
  Result<void> check_origin();
  Result<void> check_length(int64_t bytes) const;
  bool answer_probe();
  bool may_be_awaited() const;
  bool answer_preflight();
  bool answer_sign_in();
  Result<void> begin_mcp();
  loop::Task<Result<void>> admit();
  Result<void> take_access(Access access);
  Result<std::shared_ptr<const gateway::ProjectView>> seen_of(std::shared_ptr<const gateway::ProjectView> project,
                                                              const rbac::Principal& who) const;
  void finished(Result<void> result);
  Error refused(Error error) const;
  Result<std::optional<Identity>> authenticate_rest();
  Result<void> judge_rest_again() const;
  Result<void> begin_rest();
  Result<void> begin_without_rest();
  loop::Task<Result<void>> run_mcp();
  Result<std::shared_ptr<control::Request>> read_request();
  void make_job(std::shared_ptr<control::Request> request);
  loop::Task<Result<void>> run_rest();
  loop::Task<Result<void>> run_status();
  loop::Task<Result<void>> run_watch(control::Watch wanted);
  loop::Task<Result<void>> run_traffic(control::TrafficWatch wanted);
  void note_watch();
  loop::Task<Result<void>> stay();
  void respond_error(const Error& error);
  std::string_view route_text() const;
  void note_end(int status);
  void log_access(int status) const;
  void respond_rest(Result<control::Response> result);
  void start(loop::Task<Result<void>> task);
  void stand();
  void end_standing(const Error& reason);
  void finish_if_done();
  void forget_sink();
  void cut();

  Service& service_;
  Node& node_;
  std::unique_ptr<Asked> asked_;  // null once the request is a stream that listens
  std::unique_ptr<Sink> sink_;
  std::string request_id_;
  int64_t began_ns_ = 0;
  uint64_t sent_bytes_ = 0;
  size_t largest_ = 0;  // of what was written since nothing waited
  Kind kind_ = Kind::none;
  bool body_complete_ = false;
  bool running_ = false;
  bool answered_ = false;
  bool streaming_ = false;
  bool released_ = false;
  std::string cors_origin_;  // allowed Origin of the request, "" for none
  std::string body_;
  size_t body_limit_ = limits::kBodyBytes;
  std::optional<Identity> identity_;  // REST
  McpTarget target_;
  std::optional<Access> access_;  // MCP, once admitted
  const control::Route* route_ = nullptr;
  control::Params params_;
  std::shared_ptr<Job> job_;
  std::unique_ptr<Tap> tap_;  // while traffic is watched
  loop::Stage* staged_ = nullptr;  // where the work waits to begin
  gateway::Link link_;        // what stands writes through the tap
  std::optional<Stand> stand_;
  bool standing_ended_ = false;
  loop::Timer stalled_;
  std::list<std::shared_ptr<Exchange>>::iterator place_;
  std::unique_ptr<control::Runner> runner_;
  std::unique_ptr<Watcher> watcher_;              // while the answer is a stream of changes
  std::optional<control::TrafficWatch> traffic_;  // while it is one of traffic
  loop::Group group_;                             // last: its tasks use everything above
};

}  // namespace mcptoken::service
