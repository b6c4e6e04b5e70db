#include "store/records.h"

#include <algorithm>

namespace mcptoken::store {

std::string_view to_text(TokenState state) {
  static constexpr std::string_view kTexts[] = {"active", "superseded", "revoked", "expired"};
  return kTexts[static_cast<size_t>(state)];
}

TokenFacts TokenRecord::facts() const {
  TokenFacts out;
  out.sha = sha;
  out.id = id;
  out.name = name;
  out.project_id = project_id;
  out.owner_id = owner_id;
  out.expires_ms = expires_ms;
  out.revoked_ms = revoked_ms;
  out.superseded = !superseded_by.empty();
  return out;
}

TokenState TokenRecord::state(int64_t now_ms) const {
  if (revoked_ms) return TokenState::revoked;
  if (expires_ms && now_ms >= *expires_ms) return TokenState::expired;
  return superseded_by.empty() ? TokenState::active : TokenState::superseded;
}

bool TokenRecord::usable(int64_t now_ms) const {
  const TokenState now = state(now_ms);
  return now == TokenState::active || now == TokenState::superseded;
}

bool Changes::touches(std::string_view kind) const {
  return std::any_of(objects.begin(), objects.end(), [&](const ObjectChange& one) { return one.kind == kind; });
}

}  // namespace mcptoken::store
