// Start here. lib/audit records who did what: the event, its table, the rings through which loops hand events over
// without ever waiting, and queries.
//
// A control-plane change and its event are one transaction (append on the same db::Transaction). Calls go through a
// Ring.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/crypto.h"
#include "db/connection.h"
#include "db/migrate.h"
#include "rbac/policy.h"

namespace mcptoken::audit {

// The numbers are stored: a new kind gets a new number, none is ever reused.
enum class Kind : uint8_t {
  session_bind = 1,
  rbac_decision = 2,
  tool_call_trace = 3,
  gate_decision = 4,
  prompt_delivery = 5,
  pipeline_execution = 6,
  token_created = 7,
  token_revoked = 8,
  token_rotated = 9,
  token_leak_suspected = 10,
  object_changed = 11,
  login = 12,
  login_failed = 13,
  events_lost = 14,  // how many events were dropped before this point
  backup_made = 15,
  backup_restored = 16,
  audit_purged = 17,  // the beginning of the record was removed, see chain.h
  traffic_watched = 18,
};
enum class Outcome : uint8_t { ok = 1, tool_error = 2, protocol_error = 3, transport_error = 4, denied = 5 };

std::string_view to_text(Kind kind);        // "tool_call_trace"
std::string_view to_text(Outcome outcome);  // "tool error"
std::optional<Kind> kind_of(std::string_view text);
std::optional<Outcome> outcome_of(std::string_view text);

// Empty strings and optionals: not known. Names, not ids: the record must be readable when the objects are gone.
struct Event {
  int64_t seq = 0;      // given by append()
  int64_t time_ms = 0;  // wall clock, when it happened; seq is the order of arrival
  Kind kind = Kind::tool_call_trace;
  Outcome outcome = Outcome::ok;
  std::string project;
  std::string session;
  std::string user;  // e-mail
  std::string token_name;
  std::optional<crypto::Digest> token_sha;
  std::string client_name;
  std::string client_version;
  std::string client_address;
  std::string server;
  std::string subject;  // tool, method, or the object that changed
  std::string rule;     // the deciding binding
  std::optional<int64_t> duration_ms;
  std::string request_id;
  std::optional<crypto::Digest> argument_digest;  // never the arguments
  std::string reported_by;                        // "gateway" when a remote gateway sent it
  std::string payload;                            // JSON text, or empty
};

// User, token, project and address of a principal; the rest is the caller's.
Event event_by(const rbac::Principal& who, Kind kind, Outcome outcome, int64_t time_ms);

// Sets event.seq. On the connection's thread, inside a write transaction; it disappears with that transaction.
Result<void> append(db::Transaction& transaction, Event& event);

// The tables of this folder, for store::Options::schemas.
db::Schema schema();

}  // namespace mcptoken::audit
