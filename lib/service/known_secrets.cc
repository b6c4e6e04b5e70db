#include "service/known_secrets.h"

#include <algorithm>

namespace mcptoken::service {
namespace {

constexpr size_t kMostServers = 10'000;  // when there are more, all is forgotten and read again
constexpr size_t kMostProjects = 256;    // merged at a time
constexpr size_t kMostValues = 64;       // of one server; the oldest go
constexpr int64_t kAskAgainMs = 5'000;

}  // namespace

void KnownSecrets::learn(const std::string& server_id, const std::vector<gateway::Credential>& values) {
  std::lock_guard guard(mutex_);
  if (servers_.size() >= kMostServers && !servers_.contains(server_id)) servers_.clear(), projects_.clear();
  Known& known = servers_[server_id];
  known.read = true;
  for (const gateway::Credential& one : values) {
    if (!one.is_secret || one.value.empty()) continue;
    const auto same = [&](const gateway::Credential& other) {
      return crypto::equal(other.value.reveal(), one.value.reveal());
    };
    if (std::any_of(known.values.begin(), known.values.end(), same)) continue;
    known.values.push_back({one.name, one.value.copy(), true});
    if (known.values.size() > kMostValues) known.values.erase(known.values.begin());
    ++generation_;
  }
}

void KnownSecrets::unreadable(const std::string& server_id, int64_t now_ms) {
  std::lock_guard guard(mutex_);
  servers_[server_id].ask_again_ms = now_ms + kAskAgainMs;
}

KnownSecrets::Answer KnownSecrets::of(const gateway::ProjectView& project, int64_t now_ms) {
  std::lock_guard guard(mutex_);
  Answer answer;
  std::vector<std::string> servers;
  bool hidden = false;
  for (const gateway::Attachment& attachment : project.attachments) {
    const auto at = servers_.find(attachment.server->id);
    const bool known = at != servers_.end() && at->second.read;
    if (known)
      servers.push_back(attachment.server->id);
    else if (at == servers_.end() || now_ms >= at->second.ask_again_ms)
      answer.unknown.push_back(attachment.server);
    hidden = hidden || !known;
  }
  if (!hidden) answer.redactor = merged(project.id, std::move(servers));
  return answer;
}

std::shared_ptr<const gateway::Redactor> KnownSecrets::merged(const std::string& project_id,
                                                              std::vector<std::string> servers) {
  if (projects_.size() >= kMostProjects && !projects_.contains(project_id)) projects_.clear();
  Merged& merged = projects_[project_id];
  if (merged.redactor && merged.generation == generation_ && merged.servers == servers) return merged.redactor;
  std::vector<gateway::Credential> all;
  for (const std::string& id : servers) {
    for (const gateway::Credential& one : servers_[id].values)
      all.push_back({one.name, one.value.copy(), true});
  }
  auto redactor = std::make_shared<gateway::Redactor>();
  redactor->learn(all);
  merged = {generation_, std::move(servers), std::move(redactor)};
  return merged.redactor;
}

}  // namespace mcptoken::service
