// Names of what one client has to itself: a connection to a server, and all that a gateway remembers of a legacy session. With the token,
// for the holder of a bearer can give his own sessions any nonce, also that of another's.
#pragma once

#include <string>
#include <string_view>

namespace mcptoken::gateway {

// A legacy session, by its nonce, may come back for what its server has for it; a call has a name that no other one has at that time.
inline constexpr std::string_view kSessionShare = "session:", kCallShare = "call:";

inline std::string session_share(std::string_view nonce, std::string_view token_sha) {
  std::string out;
  out.reserve(kSessionShare.size() + nonce.size() + 1 + token_sha.size());
  return out.append(kSessionShare).append(nonce).append(1, '/').append(token_sha);
}
inline bool is_session_share(std::string_view share, std::string_view nonce, std::string_view token_sha) {  // that of the two
  return share.size() == kSessionShare.size() + nonce.size() + 1 + token_sha.size() && share.ends_with(token_sha) &&
         share.substr(kSessionShare.size(), nonce.size()) == nonce && share.starts_with(kSessionShare);
}
inline std::string call_share(std::string_view name, std::string_view token_sha) {
  return std::string(kCallShare).append(name).append("/").append(token_sha);
}
inline std::string_view token_of(std::string_view share) { return share.substr(share.rfind('/') + 1); }  // of either
inline bool is_session(std::string_view share) { return share.starts_with(kSessionShare); }
inline bool is_alone(std::string_view share) { return is_session(share) || share.starts_with(kCallShare); }

}  // namespace mcptoken::gateway
