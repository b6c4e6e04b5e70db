// The processes of one stdio server: how many there may be, which of them a call goes to, and who makes room.
#include <algorithm>

#include "base/limits.h"
#include "gateway/site.h"

namespace mcptoken::gateway {
namespace {

// How many processes of it there may be.
size_t most_processes(const ServerSpec& server) { return static_cast<size_t>(std::max(limits::kProcessesPerServer, server.replicas)); }

}  // namespace

size_t Upstreams::processes_of(const std::string& server_id) const {
  return static_cast<size_t>(std::count_if(entries_.begin(), entries_.end(), [&](const auto& one) {
    return one.first.server_id == server_id && one.second->exists();
  }));
}

// The replica that has the least to do; another one while all are busy, there is room, and none of them has failed just now. One
// whose pause after a failure is over is as good as one that never was.
UpstreamKey Upstreams::least_busy(const ServerSpec& server, UpstreamKey key) const {
  if (key.share.starts_with("session:")) return key;
  const Entry* best = nullptr;
  std::optional<int> unused;
  bool failing = false;
  const int64_t now_ms = site_.loop.now_ms();
  for (key.replica = 0; key.replica < server.replicas; ++key.replica) {
    const auto at = entries_.find(key);
    if (at == entries_.end()) {
      if (!unused) unused = key.replica;
      continue;
    }
    const Entry& entry = *at->second;
    if (entry.ready() && entry.breaker.state() == Circuit::closed) {
      if (!best || entry.calls < best->calls) best = &entry;
      continue;
    }
    if (entry.opening.running()) continue;
    const bool pauses = entry.breaker.state() == Circuit::half_open || now_ms < std::max(entry.retry_at_ms, entry.breaker.retry_at_ms());
    failing |= pauses;
    if (!pauses && !unused) unused = key.replica;
  }
  const bool idle = best && best->calls == 0;
  const bool room = unused && !failing && processes_of(server.id) < most_processes(server);
  key.replica = !idle && room ? *unused : best ? best->key.replica : 0;
  return key;
}

// There is a limit of processes of one server: idle ones of older versions or other sessions make room.
Result<void> Upstreams::make_room(const Entry& wanted) {
  const auto& key = wanted.key;
  std::vector<std::shared_ptr<Entry>> running;
  for (auto& [other, entry] : entries_) {
    if (other.server_id == key.server_id && other != key && entry->exists()) running.push_back(entry);
  }
  const size_t most = most_processes(*wanted.server);
  if (running.size() < most) return {};
  std::shared_ptr<Entry> oldest;
  for (auto& entry : running) {
    bool idle = entry->ready() && entry->calls == 0;
    if (idle && (!oldest || entry->last_used_ms < oldest->last_used_ms)) oldest = entry;
  }
  if (!oldest) {
    return fail(Error(Status::limit, "all " + std::to_string(most) + " processes of server " + wanted.server->name + " are in use"));
  }
  retire(oldest, "room for others is needed");
  return {};
}

}  // namespace mcptoken::gateway
