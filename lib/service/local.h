// The control plane in process: transactions for REST handlers, the gateway's view of it, and publication of snapshots.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "audit/ring.h"
#include "control/control.h"
#include "control/housekeeping.h"
#include "loop/worker.h"
#include "service/authority.h"
#include "service/known_secrets.h"
#include "service/node.h"
#include "service/traffic.h"
#include "store/store.h"

namespace mcptoken::service {

struct LocalOptions {
  LocalOptions() = default;
  std::string data_dir, key_file;
  control::Settings settings;
  bool strict_audit = false;
  Log log;
};

// What a handler works on, shared between loop and store's thread.
struct Job {
  std::shared_ptr<const rbac::Principal> who;
  std::shared_ptr<const control::Request> request;
  const control::Route* route = nullptr;
  control::Params params;
};

class Local final : public Authority {
 public:
  using OnSnapshot = std::function<int64_t(const Snapshot&, int64_t before, Node&)>;
  static Result<std::unique_ptr<Local>> open(LocalOptions options);
  ~Local() override;

  // --- before the first request
  audit::Ring& add_ring() { return recorder_.add_ring(); }
  void attach(Node& node) override;

  // --- on a node's loop
  // As service::authenticate; a replaced token that is used when its time is over is recorded as leaked.
  Result<std::optional<Identity>> authenticate(Node& node, const Head& head);
  loop::Task<Result<Access>> admit(Node& node, const Head& head, loop::Scope& scope) override;
  Result<Access> admit_now(Node& node, const Head& head);  // the same: nothing has to be waited for
  std::shared_ptr<const gateway::ProjectView> project_now(Node& node, const Access& access) override;
  loop::Task<Result<void>> flush(Node&, loop::Scope&) override {
    co_return Result<void>();
  }  // the store does, at its end
  // Runs `work` in one transaction. When it changes what loops know, the answer comes after every loop has the new
  // state: what was revoked is refused everywhere by the time anybody is told so.
  enum class Mode : uint8_t { read, write, reserve };  // reserve: as write, with the space for a full disk
  loop::Task<Result<control::Response>> transact(Node& node, std::shared_ptr<const Job> job, Mode mode,
                                                 Function<Result<control::Response>(control::Context&)> work,
                                                 loop::Scope& scope);
  loop::Task<Result<std::string>> off_loop(Node& node, Function<Result<std::string>()> work, loop::Scope& scope);
  loop::Task<Result<std::vector<gateway::Credential>>> credentials(loop::Loop& loop,
                                                                   std::shared_ptr<const gateway::ServerSpec> server,
                                                                   gateway::BearerPtr bearer,
                                                                   loop::Scope& scope) override;
  loop::Task<Result<std::vector<std::string>>> changed_tools(size_t site,
                                                             std::shared_ptr<const gateway::ServerSpec> server,
                                                             std::vector<gateway::ToolPrint> tools,
                                                             loop::Scope& scope) override;
  std::optional<Error> refusal(size_t, const rbac::Principal&, const Error&) override { return std::nullopt; }
  bool reserve_record(size_t site) override;
  void release_record(size_t site) override;
  void record(size_t site, gateway::CallRecord&& record, Place place) override;
  loop::Task<Result<gateway::PromptsPtr>> prompts(size_t site, const gateway::Caller& caller,
                                                  loop::Scope& scope) override;
  loop::Task<Result<gateway::GateState>> gate_state(size_t site, const gateway::Caller& caller,
                                                    loop::Scope& scope) override;
  loop::Task<Result<void>> set_gate_state(size_t site, const gateway::Caller& caller, gateway::GateState gate,
                                          loop::Scope& scope) override;
  loop::Task<Result<void>> propose(size_t site, const gateway::Caller& caller, gateway::Proposal proposal,
                                   loop::Scope& scope) override;
  loop::Task<Result<crypto::Secret>> llm_key(size_t site, std::string project_id, loop::Scope& scope) override;
  void note_link(const std::string& prompt_id, const std::string& failure) override;
  loop::Task<Result<control::Links>> links(Node& asker, loop::Scope& scope);
  // Notes a use, at most once a minute per credential: of a token for people, of a login session for its idle limit.
  void touch(Node& node, const Identity& identity, const std::string& address);

  // --- any thread, for those who watch
  struct Numbers {
    int64_t tokens = 0, projects = 0, servers = 0, users = 0, revision = 0;
    uint64_t audit_lost = 0;
    bool audit_stuck = false;
  };
  Numbers numbers();
  bool audit_stuck() const { return audit_stuck_.load(std::memory_order_relaxed); }
  int64_t store_turned_ms() const { return store_turned_ms_.load(std::memory_order_relaxed); }  // monotonic

  control::Control& control() { return control_; }
  PollPlaces& poll_places() { return poll_places_; }
  const std::atomic<int64_t>& revision() const { return revision_; }  // of the last commit, before anybody is told
  // Any loop. Whether somebody may watch the traffic of a project; one more or less who does ("": of all projects); a
  // message for all of them.
  bool traffic_is_watched(const std::string& project) const {
    if (traffic_watchers_.load(std::memory_order_relaxed) == 0) return false;
    return watched(0) || watched(watched_slot(project));
  }
  void count_traffic_watchers(const std::string& project, int more) {
    watched_[project.empty() ? 0 : watched_slot(project)] += more;
    traffic_watchers_ += more;
  }
  void tell_traffic(Spoken spoken);
  bool needs_bootstrap() const { return needs_bootstrap_.load(); }
  void close() { store_->close(); }

 private:
  Local(LocalOptions options, control::Keys keys, std::unique_ptr<store::Store> store);
  Result<void> load();
  void expect_end(Node& node, int64_t until_ms);
  void await_end(Node& node);
  void suspect_leak(Node& node, const Head& head, int64_t now_ms);
  void touch_session(const crypto::Digest& sha, int64_t used_ms);
  Result<std::vector<gateway::Credential>> values_of(store::Tx& tx, const gateway::ServerSpec& server) const;
  void spread_traffic(std::shared_ptr<const Spoken> spoken, std::shared_ptr<const gateway::Redactor> secrets);
  // Projects share places, which costs a look at a message that nobody hears; 0 is for all projects.
  static size_t watched_slot(const std::string& project) {
    return 1 + std::hash<std::string>()(project) % (kWatchedSlots - 1);
  }
  bool watched(size_t slot) const { return watched_[slot].load(std::memory_order_relaxed) > 0; }
  // On the store's thread. `published` runs on some loop's thread when all have it, or at once when there is none.
  void publish(SnapshotPtr next, Function<void()> published);

  LocalOptions options_;
  std::unique_ptr<store::Store> store_;
  control::Control control_;
  audit::Recorder recorder_;
  control::Housekeeping housekeeping_;  // the store's thread
  SnapshotPtr next_;                    // of the background work under way; the store's thread
  loop::Worker worker_;
  std::mutex attaching_;  // what is removed at the start is published while loops are still attached
  std::vector<Node*> nodes_;
  std::unique_ptr<loop::Timer> ticker_;  // on the first node's loop
  SnapshotPtr latest_;                   // written by the store's thread; elsewhere with attaching_ held
  std::atomic<bool> needs_bootstrap_{false};
  std::atomic<bool> audit_stuck_{false};  // the last events could not be written
  std::atomic<int64_t> store_turned_ms_;  // the end of the last background work
  std::atomic<int64_t> revision_{0};
  static constexpr size_t kWatchedSlots = 64;
  std::atomic<int> traffic_watchers_{0};
  // Of messages that some loop has yet to tell; loops may drop theirs when this has gone.
  std::shared_ptr<std::atomic<int>> traffic_waiting_ = std::make_shared<std::atomic<int>>(0);
  std::array<std::atomic<int>, kWatchedSlots> watched_{};
  KnownSecrets secrets_;
  PollPlaces poll_places_;
  static constexpr size_t kMaxLinks = 10'000;
  control::Links links_;  // on the first node's loop
  OnSnapshot on_snapshot_;

 public:
  // Called on each loop when it gets a new snapshot, with the revision that it had before, and when time may have ended
  // a credential. Returns when time will end the next one of those that something runs under, by the wall clock.
  void on_snapshot(OnSnapshot callback) { on_snapshot_ = std::move(callback); }
};

}  // namespace mcptoken::service
