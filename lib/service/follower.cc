#include "service/follower.h"

#include <algorithm>

#include "base/limits.h"

namespace mcptoken::service {
namespace {

constexpr int64_t kAnswerMs = 40'000;  // the control plane answers a poll after 25 s at the latest
constexpr int64_t kFirstPauseMs = 100;
constexpr int64_t kLongestPauseMs = 2'000;

}  // namespace

void Follower::offer(crypto::Secret ticket, int64_t revision) {
  ticket_ = std::move(ticket);
  // What was asked before the first ticket came is not older than the revision of it.
  if (!std::exchange(started_, true)) revision_ = revision;
  if (std::exchange(running_, true)) return;
  auto task = follow();
  group_.spawn(std::move(task), [this](Result<void>) { running_ = false; });
}

loop::Task<Result<void>> Follower::follow() {
  while (!ticket_.empty()) {
    auto task = poll();
    auto polled = co_await task;
    if (polled) continue;
    missing(polled.error());
    int64_t pause_ms = std::min(kFirstPauseMs << std::min(failures_++, 5), kLongestPauseMs);
    loop::Sleep pause(loop_, pause_ms);
    MCPT_CO_CHECK(co_await pause.wait(group_.scope()));
  }
  co_return Result<void>();
}

loop::Task<Result<bool>> Follower::poll() {
  std::string path = "/api/v1/mcptokens/changes?since=" + std::to_string(revision_);
  auto task = ask_plane(client_, plane_, path, ticket_.copy(), kAnswerMs, group_.scope());
  auto answer = co_await task;
  if (!answer) {
    if (answer.error().http == 401) ticket_ = crypto::Secret();  // the next introspection brings another
    co_return fail(std::move(answer).error());
  }
  const json::Value* revision = answer->find("revision");
  if (!revision || !revision->as_int()) co_return fail(Status::protocol, "the changes feed tells no revision");
  revision_ = *revision->as_int();
  failures_ = 0;
  follows_.set(1);
  if (std::exchange(missing_, false)) log_.info("the changes feed of the control plane is followed again");
  TokenChanges changes;
  if (const json::Value* reset = answer->find("reset")) changes.all = reset->as_bool().value_or(false);
  if (const json::Value* ids = answer->find("changed")) {
    for (const json::Value& id : ids->items()) {
      if (id.as_string()) changes.watch_ids.push_back(*id.as_string());
    }
  }
  if (changes.all || !changes.watch_ids.empty()) tell_(std::move(changes));
  co_return true;
}

void Follower::missing(const Error& error) {
  follows_.set(0);
  if (std::exchange(missing_, true)) return;
  log_.warn("the changes feed cannot be read, so a revoked token is refused when its verdict is too old: " +
            error.message);
}

}  // namespace mcptoken::service
