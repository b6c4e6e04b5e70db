// How connections to servers end: idle, stale, with their session, or all of them.
#include <algorithm>

#include "base/limits.h"
#include "gateway/site.h"

namespace mcptoken::gateway {
namespace {

constexpr int64_t kIdleMs = 5 * 60'000;
constexpr int64_t kLeaveMs = 1'000;  // for taking leave of an HTTP server

}  // namespace

// Off the list at once: who needs the server from now on gets another.
void Upstreams::retire(std::shared_ptr<Entry> entry, std::string_view why) {
  entries_.erase(entry->key);
  entry->retired = true;
  entry->instance.happened("stopping: " + std::string(why));
  entry->end.cancel(Error(Status::unavailable, entry->server->name + ": the server was stopped"));
  if (entry->http) {
    auto leaving = end_session_there(std::move(entry->http));
    endings_.spawn(std::move(leaving));
  }
  auto process = std::move(entry->process);
  if (!process) return;
  ended_.push_back(entry);
  if (ended_.size() > limits::kEndedInstances) ended_.pop_front();
  auto task = end(std::move(entry), std::move(process));
  endings_.spawn(std::move(task));
}

loop::Task<Result<void>> Upstreams::end(std::shared_ptr<Entry> entry, std::shared_ptr<mcp::StdioPeer> process) {
  auto task = process->stop(endings_.scope());
  auto stopped = co_await task;
  entry->instance.happened("stopped");
  entry->peer.reset();
  if (entry->forgotten) std::erase(ended_, entry);
  co_return stopped;
}

// A session that nobody uses any more is ended, where there is one (2025-11-25, session management).
loop::Task<Result<void>> Upstreams::end_session_there(std::shared_ptr<mcp::HttpPeer> peer) {
  loop::Scope scope(endings_.scope());
  loop::Deadline deadline(site_.loop, scope, kLeaveMs, Error(Status::timeout, "the server has not answered in time"));
  auto task = peer->close(scope);
  auto closed = co_await task;
  co_return closed;
}

void Upstreams::sweep() {
  std::vector<std::shared_ptr<Entry>> idle;
  for (auto& [key, entry] : entries_) {
    const bool old = site_.loop.now_ms() - entry->last_used_ms > kIdleMs;
    if (entry->calls == 0 && !entry->opening.running() && (old || entry->stale)) idle.push_back(entry);
  }
  for (auto& entry : idle)
    retire(entry, entry->stale ? "the definition or a secret has changed" : "nobody needs it");
}

void Upstreams::mark_stale(const Servers& present) {
  for (auto& [key, entry] : entries_) {
    auto at = present.find(key.server_id);
    entry->stale = at == present.end() || key.version < at->second->version;
  }
  sweep();
}

void Upstreams::end_session(const std::string& share) {
  std::vector<std::shared_ptr<Entry>> ended;
  for (auto& [key, entry] : entries_) {
    if (key.share == share) ended.push_back(entry);
  }
  for (auto& entry : ended)
    retire(entry, "its session has ended");
}

loop::Task<Result<void>> Upstreams::stop(loop::Scope& scope) {
  stopping_ = true;
  sweeper_.stop();
  prober_.stop();
  group_.cancel(Error(Status::unavailable, "the gateway is shutting down"));
  auto all = entries_;
  for (auto& [key, entry] : all)
    retire(entry, "the gateway is shutting down");
  while (endings_.size() > 0 && !scope.cancelled()) {
    loop::Sleep pause(site_.loop, 5);
    auto slept = co_await pause.wait(scope);
    if (!slept) break;
  }
  co_return Result<void>();
}

}  // namespace mcptoken::gateway
