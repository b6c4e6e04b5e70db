// The processes of one stdio server: how many there may be, which of them a call goes to, and who makes room.
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "gateway/site.h"

namespace mcptoken::gateway {
namespace {

constexpr int64_t kQuietMs = 60'000;  // without a call of its session, before a process may go to another one
constexpr size_t kForOthers = 4;      // beside those that one token can have alone, others may have a quarter more

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
// alone, of which one token can have as many, and all together some more, so that it does not keep the others out. A session may have
// left something in its own, and is not told when that goes: so it has to be quiet for a while first, and those of calls go before.
Result<void> Upstreams::make_room(const Entry& wanted) {
  const auto& key = wanted.key;
  const bool alone = is_alone(key.share);
  size_t running = 0, own = 0;
  std::shared_ptr<Entry> found, found_own;
  const auto consider = [](std::shared_ptr<Entry>& best, const std::shared_ptr<Entry>& entry) {
    const auto rank = [](const Entry& one) { return std::pair(is_session(one.key.share), one.last_used_ms); };
    if (!best || rank(*entry) < rank(*best)) best = entry;
  };
  for (auto& [other, entry] : entries_) {
    if (other.server_id != key.server_id || other == key || is_alone(other.share) != alone || !entry->exists()) continue;
    const bool is_own = alone && token_of(other.share) == token_of(key.share);
    ++running;
    own += is_own;
    const bool is_kept = is_session(other.share) && site_.loop.now_ms() - entry->last_used_ms < kQuietMs;
    if (!entry->ready() || entry->calls > 0 || is_kept) continue;
    consider(found, entry);
    if (is_own) consider(found_own, entry);
  }
  const size_t most_own = most_processes(*wanted.server), most = most_own + (alone ? most_own / kForOthers : 0);
  const bool is_greedy = own >= most_own;
  if (running < most && !is_greedy) return {};
  if (is_greedy) found = found_own;
  if (!found) {
    const auto which = std::to_string(is_greedy ? most_own : most) + " processes of server " + wanted.server->name;
    const char* whose = is_greedy ? " that one token can have" : alone ? " that a client can have to itself" : "";
    return fail(Error(Status::limit, "all " + which + whose + " are in use"));
  }
  retire(found, "room for others is needed");
  return {};
}

}  // namespace mcptoken::gateway
