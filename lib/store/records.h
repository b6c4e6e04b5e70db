// Start here. lib/store keeps everything that must survive a restart: objects and the references between them, tokens,
// login sessions, passwords, settings. This header is the data, store/tx.h what one transaction can do with it, and
// store/store.h the thread that owns the database.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/crypto.h"

namespace mcptoken::store {

// An object of any kind ("server", "project", …). `doc` is opaque JSON text here: references in it are ids, secrets are
// sealed, and no raw token is ever in it. (kind, project_id, name) is unique, compared byte by byte.
struct Object {
  std::string id;
  std::string kind;
  std::string project_id;  // empty: global
  std::string name;
  int64_t version = 0;   // 1 at insert, +1 at each update
  int64_t revision = 0;  // the store's revision of the last change
  int64_t created_ms = 0;
  int64_t updated_ms = 0;
  bool system = false;   // made and removed by the system; what that allows is the caller's rule
  std::string token_id;  // not empty: the object goes when this token is revoked or removed
  std::string doc;
};

// What happens to the referring object when the one it refers to is removed.
enum class OnDelete : uint8_t {
  restrict_,  // removal is refused
  cascade,    // it is removed, too
  unlink,     // nothing: its document keeps an id that no longer resolves (ids are never used again)
};

struct Ref {
  std::string field;  // "env", "members": where in the document; named in messages
  std::string to_id;
  OnDelete on_delete = OnDelete::restrict_;
};

struct Referrer {
  std::string id, kind, project_id, name, field;
  OnDelete on_delete = OnDelete::restrict_;
};

struct NewObject {
  std::string id;  // empty: one is made. Given when the document depends on it (crypto::random_id())
  std::string kind;
  std::string project_id;  // empty: global
  std::string name;
  std::string doc;
  std::vector<Ref> refs;
  bool system = false;
  std::string token_id;  // see Object::token_id
};

enum class TokenState : uint8_t { active, superseded, revoked, expired };
std::string_view to_text(TokenState state);

// What is needed of a token to let its bearer in. Borrowed: views live as long as what they are of.
struct TokenFacts {
  crypto::Digest sha{};
  std::string_view id, name, project_id, owner_id;
  std::optional<int64_t> expires_ms, revoked_ms;
  bool superseded = false;
};

struct TokenRecord {
  std::string id;
  std::string name;
  std::string project_id;
  std::string owner_id;
  std::string description;
  std::string shown;  // display prefix
  crypto::Digest sha{};
  int64_t created_ms = 0;
  std::optional<int64_t> expires_ms;
  std::optional<int64_t> revoked_ms;
  std::string revoke_reason;  // for people; empty unless revoked
  std::string superseded_by;  // id of the successor, empty: none. It may be gone already
  std::optional<int64_t> last_used_ms;
  std::string last_used_from;
  std::string rbac_mode;

  TokenFacts facts() const;
  // Revoked goes before expired (now >= expires_ms), expired before superseded.
  TokenState state(int64_t now_ms) const;
  // Active, or superseded and within its grace.
  bool usable(int64_t now_ms) const;
};

struct NewToken {
  std::string name;
  std::string project_id;
  std::string owner_id;
  std::string description;
  std::string shown;
  crypto::Digest sha{};
  std::optional<int64_t> expires_ms;
  std::string rbac_mode;
};

struct TokenUse {
  crypto::Digest sha{};
  int64_t used_ms = 0;
  std::string from;  // address
};

// A login session ends after so long without use, or so long after it was begun.
inline constexpr int64_t kLoginIdleMs = 12 * 3600'000LL;
inline constexpr int64_t kLoginMaxMs = 30 * 24 * 3600'000LL;

struct SessionRecord {
  std::string id;
  std::string user_id;
  crypto::Digest sha{};
  int64_t created_ms = 0;
  int64_t last_used_ms = 0;
  std::string client;
};

// What a committed transaction changed: enough to bring every snapshot up to date without reading again. Records hold
// the state after the change, or the last one before a removal.
enum class Op : uint8_t { created, updated, removed };

struct ObjectChange {
  Op op = Op::updated;
  std::string id, kind, project_id, name;
  int64_t version = 0;
};
struct TokenChange {
  Op op = Op::updated;  // revoked and superseded are updates
  TokenRecord record;
};
struct SessionChange {
  Op op = Op::created;
  SessionRecord record;
};

struct Changes {
  int64_t revision = 0;               // of the store after the transaction; 0 when no object or token changed
  std::vector<ObjectChange> objects;  // in the order they were made
  std::vector<TokenChange> tokens;
  std::vector<SessionChange> sessions;
  std::vector<std::string> password_users;  // whose password was set

  bool touches(std::string_view kind) const;
  bool empty() const { return objects.empty() && tokens.empty() && sessions.empty() && password_users.empty(); }
};

}  // namespace mcptoken::store
