// Addresses that clients of the legacy era were sent to (2025-11-25, URL elicitation). A server may say that one was visited when the call
// is over, on the stream that belongs to no call, and by a connection that several clients share.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "cache/lru.h"

namespace mcptoken::gateway {

// Of the last ones, on one loop. `share`: of the connection; `session`: the share that the session would have alone.
class Visits {
 public:
  void note(const std::string& server_id, const std::string& share, std::string_view elicitation, std::string session) {
    if (elicitation.size() <= kLongest) sent_.put(key(server_id, share, elicitation), std::move(session));
  }
  // The session that was sent there, once; nothing when it is not known.
  std::optional<std::string> take(const std::string& server_id, const std::string& share, std::string_view elicitation) {
    const auto at = key(server_id, share, elicitation);
    std::string* session = sent_.find(at);
    if (!session) return std::nullopt;
    std::string out = std::move(*session);
    sent_.erase(at);
    return out;
  }

 private:
  static constexpr size_t kRemembered = 1'024, kLongest = 256;
  static std::string key(const std::string& server_id, const std::string& share, std::string_view elicitation) {
    return server_id + "\n" + share + "\n" + std::string(elicitation);
  }
  cache::Lru<std::string, std::string> sent_{kRemembered};
};

}  // namespace mcptoken::gateway
