// Start here. lib/service is the product without a socket: it authenticates requests, sends them to the control plane or the
// gateway, and keeps what every loop needs to know in immutable snapshots.
//   snapshot.h  what loops read            token_table.h  tokens, of which there may be a million
//   auth.h      who asks                   exchange.h     one request
//   service.h   the whole                  local.h        the control plane in process, and publication
//
// A snapshot is built on the store's thread inside the transaction that makes it necessary, and handed to every loop as a
// message once that is committed. A loop reads its own pointer: no lock, no atomic. It is freed when the last loop (and the
// last request that holds on to it) has let go.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "control/control.h"
#include "control/system_prompts.h"
#include "crypto/crypto.h"
#include "gateway/control_plane.h"
#include "rbac/policy.h"
#include "service/feed.h"
#include "service/history.h"
#include "service/token_table.h"
#include "store/records.h"
#include "store/tx.h"

namespace mcptoken::service {

struct DigestHash {
  size_t operator()(const crypto::Digest& digest) const;
};

struct SessionEntry {
  std::string id, user_id;
  int64_t created_ms = 0, last_used_ms = 0;
};

struct UserEntry {
  std::string email;
  bool disabled = false;
};

struct Snapshot {
  int64_t revision = 0;
  TokenTable tokens;
  std::shared_ptr<const std::unordered_map<crypto::Digest, SessionEntry, DigestHash>> sessions;
  std::shared_ptr<const std::unordered_map<std::string, UserEntry>> users;                                          // by id
  std::shared_ptr<const gateway::Servers> servers;
  std::shared_ptr<const std::unordered_map<std::string, std::shared_ptr<const gateway::ProjectView>>> projects;     // by id
  std::shared_ptr<const std::unordered_map<std::string, gateway::ModelPtr>> models;  // by the word that names them
  std::shared_ptr<const std::unordered_map<std::string, gateway::PromptsPtr>> prompts;  // by project's id
  std::shared_ptr<const control::SystemTexts> texts;
  std::shared_ptr<const rbac::Policy> policy;
  std::shared_ptr<const ChangeLog> changes;
  std::shared_ptr<const History> history;
};

using SnapshotPtr = std::shared_ptr<const Snapshot>;

// The whole state, at start.
Result<SnapshotPtr> load_snapshot(store::Tx& tx, const control::Control& control);
// The state after the changes of `tx`, or `before` when they do not matter to loops.
Result<SnapshotPtr> advance_snapshot(SnapshotPtr before, store::Tx& tx, const control::Control& control);

// Whom a token's requests are made for. The e-mail address of a user and the name of a project stay what they are, so the
// same principal serves all snapshots that share the token.
PrincipalPtr principal_of(const Snapshot& snapshot, const TokenEntry& token);

// The state with a later last use of one session; `before` when there is no such session or no later use.
SnapshotPtr with_session_used(SnapshotPtr before, const crypto::Digest& sha, int64_t used_ms);

}  // namespace mcptoken::service
