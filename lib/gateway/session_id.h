// Ids of legacy sessions are sealed boxes: any process that sees the bearer opens them, also after a restart, and nothing
// has to be kept. The holder of the bearer can forge his own, so the content is a hint that is judged again.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cache/lru.h"
#include "crypto/crypto.h"
#include "crypto/secret.h"

namespace mcptoken::gateway {

inline constexpr size_t kMaxSessionIdBytes = 160;

struct SessionId {
  uint32_t capabilities = 0;  // mask of what the client declared
  std::string revision;       // negotiated
  std::string client_name;    // at most 32 bytes of it
  std::string client_version;  // at most 16
  int64_t issued_ms = 0;      // wall clock, second resolution
  uint8_t owner = 0;          // loop that keeps its soft state
  std::string nonce;          // 8 random bytes as 16 hex digits: the session's name in logs and audit
  std::string share;          // session_share(): its name here, among those of all tokens
};
using SessionPtr = std::shared_ptr<const SessionId>;

// A nonce as a number: where many are kept.
uint64_t number_of(std::string_view nonce);

// Sets the nonce and the share. The key comes from the bearer; token SHA and project are bound as associated data.
Result<std::string> seal_session(SessionId& session, const crypto::Secret& bearer, std::string_view token_sha, std::string_view project);
// not_found for anything that this bearer did not get for this project, or that is older than 24 h.
Result<SessionId> open_session(std::string_view id, const crypto::Secret& bearer, std::string_view token_sha,
                               std::string_view project, int64_t now_wall_ms);

// Remembers what open_session() has found for those who were here last: a session calls again and again, and opening its id
// costs more than all else about it. Only its age is judged anew.
class SessionIds {
 public:
  Result<SessionPtr> open(std::string_view id, const crypto::Secret& bearer, std::string_view token_sha, std::string_view project,
                          int64_t now_wall_ms);

 private:
  static constexpr size_t kRemembered = 1'024;  // about 600 bytes each
  cache::Lru<std::string, SessionPtr> opened_{kRemembered};
};

}  // namespace mcptoken::gateway
