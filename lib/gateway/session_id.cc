#include "gateway/session_id.h"

#include <array>
#include <charconv>

#include "base/bytes.h"
#include "base/limits.h"
#include "gateway/share.h"
#include "mcp/revision.h"

namespace mcptoken::gateway {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kFixedBytes = 1 + 4 + 1 + 5 + 1 + 8;  // version, mask, revision, seconds, owner, nonce
constexpr size_t kClientNameBytes = 32, kClientVersionBytes = 16;
constexpr char kBehindName = '\0';  // then comes the version
constexpr std::string_view kLabel = "mcp-session";

void put(std::string& out, uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * i) & 0xff));
}

uint64_t take(std::string_view& in, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; ++i) value = value << 8 | static_cast<uint8_t>(in[i]);
  in.remove_prefix(bytes);
  return value;
}

std::string associated(std::string_view token_sha, std::string_view project) {
  return std::string(token_sha) + '\n' + std::string(project);
}

size_t index_of(std::string_view revision) {
  auto known = mcp::legacy_revisions();
  for (size_t i = 0; i < known.size(); ++i) {
    if (known[i] == revision) return i;
  }
  return 0;
}

// Cut at a character border, so that the text stays valid UTF-8.
std::string_view shorten(std::string_view text, size_t most) {
  text = text.substr(0, text.find(kBehindName));
  if (text.size() <= most) return text;
  size_t end = most;
  while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xc0) == 0x80)
    --end;
  return text.substr(0, end);
}

bool is_over(const SessionId& session, int64_t now_wall_ms) { return now_wall_ms - session.issued_ms >= limits::kSessionMaxMs; }

tl::unexpected<Error> unknown() {
  return fail(Error(Status::not_found, "the session is unknown or has ended").with_code("session_not_found").with_http(404));
}

}  // namespace

uint64_t number_of(std::string_view nonce) {
  uint64_t number = 0;
  std::from_chars(nonce.data(), nonce.data() + nonce.size(), number, 16);
  return number;
}

Result<std::string> seal_session(SessionId& session, const crypto::Secret& bearer, std::string_view token_sha, std::string_view project) {
  std::array<uint8_t, 8> nonce{};
  MCPT_CHECK(crypto::random_bytes(nonce));
  session.nonce = to_hex(nonce);
  session.share = session_share(session.nonce, token_sha);
  std::string plain;
  put(plain, kVersion, 1);
  put(plain, session.capabilities, 4);
  put(plain, index_of(session.revision), 1);
  put(plain, static_cast<uint64_t>(session.issued_ms / 1000), 5);
  put(plain, session.owner, 1);
  plain.append(as_text(nonce)).append(shorten(session.client_name, kClientNameBytes));
  plain.append(1, kBehindName).append(shorten(session.client_version, kClientVersionBytes));
  MCPT_TRY(auto sealed, crypto::seal(crypto::derive_key(bearer.reveal(), kLabel), plain, associated(token_sha, project)));
  return to_base64url(sealed);
}

Result<SessionId> open_session(std::string_view id, const crypto::Secret& bearer, std::string_view token_sha,
                               std::string_view project, int64_t now_wall_ms) {
  if (id.size() > kMaxSessionIdBytes) return unknown();
  auto sealed = from_base64url(id);
  if (!sealed) return unknown();
  auto plain = crypto::open(crypto::derive_key(bearer.reveal(), kLabel), *sealed, associated(token_sha, project));
  if (!plain || plain->size() < kFixedBytes) return unknown();
  std::string_view in = *plain;
  if (take(in, 1) != kVersion) return unknown();
  SessionId session;
  session.capabilities = static_cast<uint32_t>(take(in, 4));
  size_t revision = take(in, 1);
  if (revision >= mcp::legacy_revisions().size()) return unknown();
  session.revision = mcp::legacy_revisions()[revision];
  session.issued_ms = static_cast<int64_t>(take(in, 5)) * 1000;
  session.owner = static_cast<uint8_t>(take(in, 1));
  session.nonce = to_hex(as_bytes(in.substr(0, 8)));
  session.share = session_share(session.nonce, token_sha);
  in.remove_prefix(8);
  const auto name = in.substr(0, in.find(kBehindName));
  session.client_name = name;
  if (name.size() < in.size()) session.client_version = in.substr(name.size() + 1);
  if (is_over(session, now_wall_ms)) return unknown();
  return session;
}

// The token's SHA stands for the bearer: whoever has another bearer finds nothing.
Result<SessionPtr> SessionIds::open(std::string_view id, const crypto::Secret& bearer, std::string_view token_sha,
                                    std::string_view project, int64_t now_wall_ms) {
  if (id.size() > kMaxSessionIdBytes) return unknown();
  std::string key;
  key.reserve(token_sha.size() + project.size() + id.size() + 2);
  key.append(token_sha).append(1, '\n').append(project).append(1, '\n').append(id);
  if (const SessionPtr* known = opened_.find(key)) {
    if (is_over(**known, now_wall_ms)) return unknown();
    return *known;
  }
  MCPT_TRY(auto session, open_session(id, bearer, token_sha, project, now_wall_ms));
  auto shared = std::make_shared<const SessionId>(std::move(session));
  opened_.put(key, shared);
  return shared;
}

}  // namespace mcptoken::gateway
