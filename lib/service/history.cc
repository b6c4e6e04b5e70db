#include "service/history.h"

#include <algorithm>

#include "base/limits.h"
#include "control/kind.h"
#include "json/writer.h"
#include "service/snapshot.h"

namespace mcptoken::service {
namespace {

std::string_view word_of(store::Op op) {
  return op == store::Op::created ? "created" : op == store::Op::updated ? "updated" : "removed";
}

std::string event_text(int64_t revision, std::string_view name, std::string_view data) {
  std::string out = "id: " + std::to_string(revision) + "\nevent: ";
  out.append(name).append("\ndata: ").append(data).append("\n\n");
  return out;
}

std::string change_text(const HistoryEntry& entry) {
  std::string data;
  json::Writer writer(data);
  writer.begin_object()
      .member("change", word_of(entry.change.op))
      .member("kind", entry.change.kind)
      .member("id", entry.change.id)
      .member("name", entry.change.name);
  if (!entry.project.empty()) writer.member("project", entry.project);
  writer.member("version", entry.change.version).member("revision", entry.revision).end_object();
  return event_text(entry.revision, "change", data);
}

// A project that goes takes its objects along in the same transaction.
std::string project_name(const std::string& id, const Snapshot& snapshot, const Snapshot& previous) {
  for (const Snapshot* one : {&snapshot, &previous}) {
    const auto found = one->projects->find(id);
    if (found != one->projects->end()) return found->second->name;
  }
  return {};
}

}  // namespace

std::shared_ptr<const History> advance_history(const History& before, const store::Changes& changes,
                                               const Snapshot& snapshot, const Snapshot& previous) {
  auto next = std::make_shared<History>(before);
  for (const auto& change : changes.objects) {
    auto entry = std::make_shared<HistoryEntry>();
    entry->revision = changes.revision;
    entry->change = change;
    if (!change.project_id.empty()) entry->project = project_name(change.project_id, snapshot, previous);
    next->entries.push_back(std::move(entry));
  }
  if (next->entries.size() > limits::kHistoryEntries) {
    const auto drop = static_cast<std::ptrdiff_t>(next->entries.size() - limits::kHistoryEntries);
    next->after = next->entries[static_cast<size_t>(drop) - 1]->revision;
    next->entries.erase(next->entries.begin(), next->entries.begin() + drop);
    // A transaction is there whole or not at all.
    std::erase_if(next->entries, [&](const auto& entry) { return entry->revision <= next->after; });
  }
  return next;
}

bool Watcher::may_hear(const Snapshot& snapshot, const HistoryEntry& entry) const {
  const auto* kind = control::find_kind(entry.change.kind);
  if (!kind) return false;
  const auto& kinds = wanted_.kinds;
  if (!kinds.empty() && std::find(kinds.begin(), kinds.end(), kind->name) == kinds.end()) return false;
  rbac::Query query;
  query.action = rbac::Action::view;
  query.resource = kind->resource;
  query.name = entry.project.empty() ? entry.change.name : entry.project + "/" + entry.change.name;
  return snapshot.policy->allowed(who_, query);
}

std::string Watcher::news(const Snapshot& snapshot) {
  std::string out;
  const History& history = *snapshot.history;
  if (wanted_.since < history.after) {
    std::string data;
    json::Writer(data).begin_object().member("revision", snapshot.revision).end_object();
    wanted_.since = snapshot.revision;
    return event_text(snapshot.revision, "reset", data);
  }
  auto at = std::upper_bound(history.entries.begin(), history.entries.end(), wanted_.since,
                             [](int64_t since, const auto& entry) { return since < entry->revision; });
  for (; at != history.entries.end(); ++at) {
    if (may_hear(snapshot, **at)) out += change_text(**at);
  }
  wanted_.since = std::max(wanted_.since, snapshot.revision);
  return out;
}

}  // namespace mcptoken::service
