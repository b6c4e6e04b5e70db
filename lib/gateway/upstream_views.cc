// What people see of the connections to servers, and end by hand.
#include <algorithm>

#include "gateway/site.h"

namespace mcptoken::gateway {

InstanceStatus Upstreams::status_of(const Entry& entry) {
  if (entry.retired) return entry.peer ? InstanceStatus::stopping : InstanceStatus::stopped;
  if (entry.opening.running()) return InstanceStatus::starting;
  return entry.ready() && entry.breaker.state() == Circuit::closed ? InstanceStatus::running : InstanceStatus::error;
}

// What is stopped is none any more.
void Upstreams::count_states() {
  StatesOfServers states;
  for (auto& [key, entry] : entries_) ++states[entry->server->name][static_cast<size_t>(status_of(*entry))];
  for (auto& entry : ended_) {
    if (status_of(*entry) == InstanceStatus::stopping) ++states[entry->server->name][static_cast<size_t>(InstanceStatus::stopping)];
  }
  site_.meter.set_upstreams(std::move(states));
}

InstanceView Upstreams::view_of(const Entry& entry) const {
  InstanceView out = entry.instance.view();
  out.server_id = entry.server->id;
  out.server = entry.server->name;
  out.site = site_.index;
  // What is exclusive belongs to a session, whatever the definition says.
  out.share = is_alone(entry.key.share) ? Share::session : entry.server->share;
  out.calls = entry.calls;
  out.stale = entry.stale;
  out.circuit = entry.breaker.state();
  out.status = status_of(entry);
  if (entry.process && entry.process->alive()) out.pid = entry.process->pid();
  UpstreamKey first = entry.key;
  first.replica = 0;
  if (const auto list = site_.catalogue.known(first, Kind::tools)) {
    out.tools.emplace();
    for (const auto& item : list->items)
      out.tools->push_back(item.key);
  }
  return out;
}

std::vector<InstanceView> Upstreams::instances() const {
  std::vector<InstanceView> out;
  for (auto& [key, entry] : entries_)
    out.push_back(view_of(*entry));
  for (auto& entry : ended_)
    out.push_back(view_of(*entry));
  return out;
}

std::shared_ptr<Upstreams::Entry> Upstreams::entry_of(std::string_view id) const {
  for (auto& [key, entry] : entries_) {
    if (entry->instance.id() == id) return entry;
  }
  auto at = std::find_if(ended_.begin(), ended_.end(), [&](const auto& entry) { return entry->instance.id() == id; });
  return at == ended_.end() ? nullptr : *at;
}

const Instance* Upstreams::find_instance(std::string_view id) const {
  auto entry = entry_of(id);
  return entry ? &entry->instance : nullptr;
}

bool Upstreams::end_instance(std::string_view id) {
  auto entry = entry_of(id);
  if (!entry) return false;
  if (!entry->retired) {
    retire(entry, "deleted");  // it stays for its log; who asks again does not want that
    return true;
  }
  entry->forgotten = true;
  if (!entry->peer) std::erase(ended_, entry);
  return true;
}

void Upstreams::happened(const UpstreamKey& key, std::string text) {
  const auto at = entries_.find(key);
  if (at != entries_.end()) at->second->instance.happened(std::move(text));
}

}  // namespace mcptoken::gateway
