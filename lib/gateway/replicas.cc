// The processes of one stdio server: how many there may be, which of them a call goes to, and who makes room.
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "gateway/site.h"

namespace mcptoken::gateway {
namespace {

constexpr int64_t kQuietMs = 60'000;  // without a call of its session, before a process may go to another one

// How many processes of it there may be, of each sort.
size_t most_processes(const ServerSpec& server) { return static_cast<size_t>(std::max(limits::kProcessesPerServer, server.replicas)); }

}  // namespace

// Those that are shared, or those of one caller each.
size_t Upstreams::processes_of(const std::string& server_id, bool alone) const {
  return static_cast<size_t>(std::count_if(entries_.begin(), entries_.end(), [&](const auto& one) {
    return one.first.server_id == server_id && is_alone(one.first.share) == alone && one.second->exists();
  }));
}

// The replica that has the least to do; another one while all are busy, there is room, and none of them has failed just now. One
// whose pause after a failure is over is as good as one that never was.
UpstreamKey Upstreams::least_busy(const ServerSpec& server, UpstreamKey key) const {
  if (is_alone(key.share)) return key;
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
  const bool room = unused && !failing && processes_of(server.id, false) < most_processes(server);
  key.replica = !idle && room ? *unused : best ? best->key.replica : 0;
  return key;
}

// Processes of one server are limited, and idle ones make room: those that are shared for each other, and those that one caller has
// alone. A session may have left something in its own, and is not told when that goes: so it has to be quiet for a while first, and
// those of calls go before.
Result<void> Upstreams::make_room(const Entry& wanted) {
  const auto& key = wanted.key;
  size_t running = 0;
  std::shared_ptr<Entry> found;
  const auto rank = [](const Entry& entry) { return std::pair(is_session(entry.key.share), entry.last_used_ms); };
  for (auto& [other, entry] : entries_) {
    if (other.server_id != key.server_id || other == key || is_alone(other.share) != is_alone(key.share) || !entry->exists()) continue;
    ++running;
    const bool is_kept = is_session(other.share) && site_.loop.now_ms() - entry->last_used_ms < kQuietMs;
    if (!entry->ready() || entry->calls > 0 || is_kept) continue;
    if (!found || rank(*entry) < rank(*found)) found = entry;
  }
  const size_t most = most_processes(*wanted.server);
  if (running < most) return {};
  if (!found) {
    const char* whose = is_alone(key.share) ? " that a client can have to itself are in use" : " are in use";
    return fail(Error(Status::limit, "all " + std::to_string(most) + " processes of server " + wanted.server->name + whose));
  }
  retire(found, "room for others is needed");
  return {};
}

}  // namespace mcptoken::gateway
