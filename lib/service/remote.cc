#include "service/remote.h"

#include <algorithm>

#include "base/bytes.h"
#include "service/node.h"

namespace mcptoken::service {

void Remote::attach(Node& node) {
  if (places_.empty()) {
    auto tell = [this](TokenChanges changes) {
      auto shared = std::make_shared<const TokenChanges>(std::move(changes));
      for (auto& place : places_)
        place.loop.post([verdicts = place.verdicts.get(), shared] { verdicts->changed(*shared); });
    };
    follower_ = std::make_unique<Follower>(node.loop, node.site.http, options_.plane, log_, std::move(tell));
  }
  loop::Loop& first = places_.empty() ? node.loop : places_[0].loop;
  auto offer = [&first, follower = follower_.get()](crypto::Secret ticket, int64_t revision) {
    auto shared = std::make_shared<crypto::Secret>(std::move(ticket));
    first.post([follower, shared, revision] { follower->offer(std::move(*shared), revision); });
  };
  auto refuse = [this, &here = node.loop](const crypto::Digest& sha) { refused(here, sha); };
  places_.push_back({node.loop, std::make_unique<Verdicts>(node, options_, log_, std::move(offer), std::move(refuse)),
                     std::make_unique<Reporter>(node.loop, node.site.http, options_.plane, log_), node.site.http});
}

// What one loop was told, the others must not doubt: without the feed each would find out for itself.
void Remote::refused(const loop::Loop& here, const crypto::Digest& sha) {
  for (auto& place : places_) {
    if (&place.loop != &here) place.loop.post([verdicts = place.verdicts.get(), sha] { verdicts->forget(sha); });
  }
}

loop::Task<Result<Access>> Remote::admit(Node& node, const Head& head, loop::Scope& scope) {
  MCPT_CO_TRY(auto bearer, read_bearer(head));
  if (!bearer) co_return fail(no_credentials());
  auto task = places_[node.site.index].verdicts->judge(*bearer, scope);
  MCPT_CO_TRY(auto verdict, co_await task);
  if (verdict->refusal) co_return fail(*verdict->refusal);
  if (node.loop.clock().wall_ms() >= verdict->expires_ms) co_return fail(plane_away("the token has expired meanwhile"));
  Access access;
  access.identity.sha = bearer->sha;
  access.identity.who = verdict->who;
  access.to_control_plane = std::make_shared<const crypto::Secret>(bearer->raw.copy());
  access.identity.bearer = std::move(bearer->raw);
  access.project = verdict->project;
  co_return access;
}

std::shared_ptr<const gateway::ProjectView> Remote::project_now(Node& node, const Access& access) {
  const auto verdict = places_[node.site.index].verdicts->last_good(access.identity.sha);
  return verdict ? verdict->project : access.project;
}

loop::Task<Result<std::vector<gateway::Credential>>> Remote::credentials(loop::Loop&,
                                                                         std::shared_ptr<const gateway::ServerSpec>,
                                                                         gateway::BearerPtr bearer, loop::Scope&) {
  std::vector<gateway::Credential> out;
  std::string value = "Bearer ";
  value += bearer->reveal();
  out.push_back({"Authorization", crypto::Secret(value)});
  crypto::wipe(value.data(), value.size());
  co_return out;
}

void Remote::record(size_t site, gateway::CallRecord&& record, ControlPlane::Place) {
  places_[site].reporter->record(std::move(record));
}

loop::Task<Result<void>> Remote::flush(Node& node, loop::Scope& scope) {
  return places_[node.site.index].reporter->flush(scope);
}

bool Remote::away() const {
  return std::any_of(places_.begin(), places_.end(),
                     [](const Post& place) { return place.verdicts->meter().away.value() != 0; });
}

void Remote::write_metrics(metrics::Text& text) const {
  uint64_t known = 0, asked = 0, failed = 0;
  for (const auto& place : places_) {
    known += place.verdicts->meter().known.value();
    asked += place.verdicts->meter().asked.value();
    failed += place.verdicts->meter().failed.value();
  }
  text.family("mcptoken_verdicts_total", "counter", "Tokens that had to be judged, by where the answer came from.");
  text.sample({{"source", "memory"}}, known)
      .sample({{"source", "control_plane"}}, asked)
      .sample({{"source", "none"}}, failed);
  text.gauge("mcptoken_control_plane_up", "0: the last question about a token was not answered.", away() ? 0 : 1);
  text.gauge("mcptoken_changes_feed_up", "0: revocations are noticed when verdicts end, and no earlier.",
             follower_ && follower_->follows() ? 1 : 0);
}

std::optional<Error> Remote::refusal(size_t site, const rbac::Principal& who, const Error& failure) {
  if (failure.http != 401) return std::nullopt;
  auto said = plane_error(failure.http, failure.data);
  crypto::Digest sha{};
  if (!said || !from_hex(who.token_sha, sha)) return std::nullopt;
  places_[site].verdicts->forget(sha);
  refused(places_[site].loop, sha);
  return said;
}

}  // namespace mcptoken::service
