// Whether models can be reached: what people see in the status.
#include "gateway/plugins/llm.h"
#include "gateway/plugins/outside.h"
#include "gateway/site.h"

namespace mcptoken::gateway {
namespace {

constexpr int64_t kProbeMs = 2'000;
constexpr int64_t kFreshMs = 10'000;  // what was seen is told again without looking
constexpr size_t kMostProbed = 64;    // at once

// Any answer shows that it is there; its status whether it likes the key.
void note(ModelHealth& health, int64_t now_ms, const Result<ModelAnswer>& answer) {
  health.probed_ms = now_ms;
  health.detail.clear();
  if (!answer) {
    health.state = "unreachable";
    health.detail = answer.error().message;
  } else {
    health.state = answer->status == 401 || answer->status == 403 ? "refused" : "reachable";
    if (answer->status != 200) health.detail = "it answered HTTP " + std::to_string(answer->status);
  }
}

class Probing {
 public:
  Probing(Site& site, std::vector<ModelOwner> owners, loop::Scope& scope)
      : site_(site), owners_(std::move(owners)), found_(owners_.size()), group_(scope) {}

  loop::Task<Result<std::vector<ModelStatus>>> run(loop::Scope& scope) {
    left_ = 1;  // ours, so that it does not end before all have begun
    for (size_t i = 0; i < owners_.size(); ++i) {
      ++left_;
      auto task = one(i, scope);
      group_.spawn(std::move(task), [this](Result<void>) {
        if (--left_ == 0) done_.resolve({});
      });
    }
    if (--left_ > 0) {
      MCPT_CO_CHECK(co_await done_.wait(scope));
    }
    co_return std::move(found_);
  }

 private:
  loop::Task<Result<void>> one(size_t index, loop::Scope& outer) {
    const ModelOwner& owner = owners_[index];
    const std::string key = model_key(owner.id, *owner.spec);
    ModelStatus& out = found_[index];
    out.project = owner.name;
    out.model = owner.spec->model;
    out.tier = owner.spec->tier;
    const int64_t now_ms = site_.loop.now_ms();
    auto& known = site_.models[key];
    known.used_ms = now_ms;
    if (known.state.empty() || now_ms - known.probed_ms > kFreshMs) {
      known.probed_ms = now_ms;  // whoever asks meanwhile gets what was known, and asks nobody
      loop::Scope scope(outer);
      loop::Deadline deadline(site_.loop, scope, kProbeMs, Error(Status::timeout, "it did not answer in time"));
      ModelRequest request;
      request.method = "GET";
      request.path = "models";
      request.wait_ms = kProbeMs;
      auto sending = send_to_model(site_, owner.id, owner.spec, std::move(request), scope);
      auto answer = co_await sending;
      if (outer.cancelled()) co_return fail(outer.reason());
      note(site_.models[key], site_.loop.now_ms(), answer);
    }
    const ModelHealth& health = site_.models[key];
    out.state = health.state;
    out.detail = health.failure.empty() ? health.detail : "last asked without success: " + health.failure;
    co_return Result<void>();
  }

  Site& site_;
  const std::vector<ModelOwner> owners_;
  std::vector<ModelStatus> found_;
  size_t left_ = 0;
  loop::Completion<void> done_;
  loop::Group group_;  // last: its tasks use everything above
};

}  // namespace

loop::Task<Result<std::vector<ModelStatus>>> model_statuses(Site& site, std::vector<ModelOwner> projects,
                                                            loop::Scope& scope) {
  for (const auto& spec : site.gateway.options().models)
    projects.push_back({"", "", spec});
  if (projects.size() > kMostProbed) projects.resize(kMostProbed);
  Probing probing(site, std::move(projects), scope);
  auto running = probing.run(scope);
  auto found = co_await running;
  co_return found;
}

}  // namespace mcptoken::gateway
