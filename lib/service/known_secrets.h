// The values of secrets that servers were given since the start, for what is told about traffic. An instance may go on
// saying an old value when its secret has another by now, so that a value once given stays known.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "gateway/control_plane.h"
#include "gateway/instance.h"

namespace mcptoken::service {

// Any thread. Asked only while somebody watches traffic, never on the way of a call.
class KnownSecrets {
 public:
  // A server has been given these, or would be.
  void learn(const std::string& server_id, const std::vector<gateway::Credential>& values);
  // They cannot be read now, and are not asked for again at once.
  void unreadable(const std::string& server_id, int64_t now_ms);

  struct Answer {
    std::shared_ptr<const gateway::Redactor> redactor;  // of all servers of a project; null: nothing may be shown
    std::vector<std::shared_ptr<const gateway::ServerSpec>> unknown;  // whose values have to be read first
  };
  Answer of(const gateway::ProjectView& project, int64_t now_ms);

 private:
  struct Known {
    std::vector<gateway::Credential> values;  // secrets alone, without two that are equal; the latest last
    bool read = false;
    int64_t ask_again_ms = 0;
  };
  struct Merged {
    uint64_t generation = 0;
    std::vector<std::string> servers;
    std::shared_ptr<const gateway::Redactor> redactor;
  };
  std::shared_ptr<const gateway::Redactor> merged(const std::string& project_id, std::vector<std::string> servers);

  std::mutex mutex_;
  uint64_t generation_ = 0;  // grows when something new is known
  std::map<std::string, Known> servers_;
  std::map<std::string, Merged> projects_;
};

}  // namespace mcptoken::service
