// The control plane from afar: who asks is what its introspection says, and every server is reached through it. This
// process has no identity of its own: what it may, the caller's bearer may, which goes along with each question and
// each call.
#pragma once

#include <memory>
#include <vector>

#include "base/log.h"
#include "cache/lru.h"
#include "metrics/text.h"
#include "service/authority.h"
#include "service/follower.h"
#include "service/reporter.h"
#include "service/verdicts.h"

namespace mcptoken::service {

class Remote final : public Authority {
 public:
  Remote(VerdictOptions options, Log log) : options_(std::move(options)), log_(std::move(log)) {}

  void attach(Node& node) override;
  loop::Task<Result<Access>> admit(Node& node, const Head& head, loop::Scope& scope) override;
  std::shared_ptr<const gateway::ProjectView> project_now(Node& node, const Access& access) override;
  loop::Task<Result<std::vector<gateway::Credential>>> credentials(loop::Loop& loop,
                                                                   std::shared_ptr<const gateway::ServerSpec> server,
                                                                   gateway::BearerPtr bearer,
                                                                   loop::Scope& scope) override;
  loop::Task<Result<gateway::PromptsPtr>> prompts(size_t site, const gateway::Caller& caller, loop::Scope& scope) override;
  loop::Task<Result<gateway::GateState>> gate_state(size_t site, const gateway::Caller& caller, loop::Scope& scope) override;
  loop::Task<Result<void>> set_gate_state(size_t site, const gateway::Caller& caller, gateway::GateState state,
                                          loop::Scope& scope) override;
  loop::Task<Result<void>> propose(size_t site, const gateway::Caller& caller, gateway::Proposal proposal,
                                   loop::Scope& scope) override;
  loop::Task<Result<crypto::Secret>> llm_key(size_t, std::string, loop::Scope&) override {
    co_return fail(Status::not_supported, "the model's key stays with the control plane");
  }
  void note_link(const std::string&, const std::string&) override {}  // the control plane follows them itself
  // The control plane compares the tools of what it runs.
  loop::Task<Result<std::vector<std::string>>> changed_tools(size_t, std::shared_ptr<const gateway::ServerSpec>,
                                                             std::vector<gateway::ToolPrint>, loop::Scope&) override {
    co_return std::vector<std::string>();
  }
  std::optional<Error> refusal(size_t site, const rbac::Principal& who, const Error& failure) override;
  // Nothing waits for a record here: the control plane records the calls that it runs, and is told the rest.
  bool reserve_record(size_t) override { return true; }
  void release_record(size_t) override {}
  void record(size_t site, gateway::CallRecord&& record, ControlPlane::Place place) override;
  loop::Task<Result<void>> flush(Node& node, loop::Scope& scope) override;

  // --- any thread, for those who watch
  bool away() const;  // the last question about a token was not answered
  void write_metrics(metrics::Text& text) const;

 private:
  struct Post {
    loop::Loop& loop;
    std::unique_ptr<Verdicts> verdicts;
    std::unique_ptr<Reporter> reporter;
    http::Client& client;
    cache::Lru<std::string, gateway::PromptsPtr> prompts{kPromptLists};  // by token and version
  };
  static constexpr size_t kPromptLists = 256;
  void refused(const loop::Loop& here, const crypto::Digest& sha);
  VerdictOptions options_;
  Log log_;
  std::vector<Post> places_;            // by the site's index
  std::unique_ptr<Follower> follower_;  // on the first loop
};

}  // namespace mcptoken::service
