// The control plane from afar: who asks is what its introspection says, and every server is reached through it. This
// process has no identity of its own: what it may, the caller's bearer may, which goes along with each question and
// each call.
#pragma once

#include <memory>
#include <vector>

#include "base/log.h"
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
  loop::Task<Result<std::vector<gateway::Credential>>> credentials(loop::Loop& loop,
                                                                   std::shared_ptr<const gateway::ServerSpec> server,
                                                                   gateway::BearerPtr bearer,
                                                                   loop::Scope& scope) override;
  std::optional<Error> refusal(size_t site, const rbac::Principal& who, const Error& failure) override;
  // Nothing waits for a record here: the control plane records the calls that it runs, and is told the rest.
  bool reserve_record(size_t) override { return true; }
  void release_record(size_t) override {}
  void record(size_t site, gateway::CallRecord record, ControlPlane::Place place) override;
  loop::Task<Result<void>> flush(Node& node, loop::Scope& scope) override;

 private:
  struct Post {
    loop::Loop& loop;
    std::unique_ptr<Verdicts> verdicts;
    std::unique_ptr<Reporter> reporter;
  };
  VerdictOptions options_;
  Log log_;
  std::vector<Post> places_;            // by the site's index
  std::unique_ptr<Follower> follower_;  // on the first loop
};

}  // namespace mcptoken::service
