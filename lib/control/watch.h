// The changes feed tells remote gateways which tokens are to be asked about again, in ids that say nothing to anybody who
// does not know the token.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "control/keys.h"

namespace mcptoken::control {

using WatchId = std::array<uint8_t, 16>;  // 32 hex digits on the wire

inline constexpr std::string_view kTicketPrefix = "mcpctl_wat_";

WatchId watch_id(const Keys& keys, const crypto::Digest& token_sha);

// A sealed box that lets its holder read the feed for limits::kWatchTicketMs, whatever becomes of the token that it was
// given to: the feed is how its gateway learns of the end. In hex behind kTicketPrefix.
Result<std::string> make_ticket(const Keys& keys, int64_t now_ms);
// unauthenticated (401 `invalid_token`): not ours, changed, or expired.
Result<void> check_ticket(const Keys& keys, std::string_view ticket, int64_t now_ms);

}  // namespace mcptoken::control
