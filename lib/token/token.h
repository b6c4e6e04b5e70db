// Start here. lib/token is pure: the format of raw tokens, their hash, and the text of lifetimes. No I/O.
//
// Raw token: a prefix and 43 characters of 0-9A-Za-z: one 256-bit number in base 62, most significant digit first,
// left-padded with '0' (62^43 > 2^256). One value has one spelling; anything else is malformed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/crypto.h"
#include "crypto/secret.h"

namespace mcptoken::token {

enum class Kind : uint8_t { pat, session };  // mcpctl_pat_: project token; mcpctl_ses_: login session

inline constexpr std::string_view kPatPrefix = "mcpctl_pat_";
inline constexpr std::string_view kSessionPrefix = "mcpctl_ses_";
inline constexpr size_t kDigits = 43;
inline constexpr size_t kRawBytes = 54;
inline constexpr size_t kShownBytes = 15;  // prefix + 4 characters

struct Minted {
  crypto::Secret raw;
  crypto::Digest sha{};
  std::string shown;  // what lists may show
};

// Fails when the system's generator fails; nothing is minted then.
Result<Minted> mint(Kind kind);

// Exact-prefix table and canonical form, without hashing. Nothing when malformed.
std::optional<Kind> classify(std::string_view raw);
// SHA-256 of all 54 bytes: what is stored, looked up, and (as 64 hex digits) named in roles and audit.
crypto::Digest hash(std::string_view raw);

std::string encode(const std::array<uint8_t, 32>& number);               // 43 digits
std::optional<std::array<uint8_t, 32>> decode(std::string_view digits);  // canonical form only

// "30d", "12h", "45m", "2w", "never", or an ISO-8601 instant with zone in the future. The result is the expiry instant
// in wall-clock milliseconds, or nothing for "never". Errors: Status::invalid with what was wrong.
Result<std::optional<int64_t>> parse_ttl(std::string_view text, int64_t now_wall_ms);

// A duration alone ("1h", "30d"), in milliseconds.
Result<int64_t> parse_duration(std::string_view text);

}  // namespace mcptoken::token
