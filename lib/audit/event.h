// Start here. lib/audit records who did what: the event, its table, the rings through which loops hand events over
// without ever waiting, and queries.
//
// A control-plane change and its event are one transaction (append on the same db::Transaction). Calls go through a
// Ring.
#pragma once

#include <array>
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
template <class Text>
struct BasicEvent {
  int64_t seq = 0;      // given by append()
  int64_t time_ms = 0;  // wall clock, when it happened; seq is the order of arrival
  Kind kind = Kind::tool_call_trace;
  Outcome outcome = Outcome::ok;
  Text project;
  Text session;
  Text user;  // e-mail
  Text token_name;
  std::optional<crypto::Digest> token_sha;
  Text client_name;
  Text client_version;
  Text client_address;
  Text server;
  Text subject;  // tool, method, or the object that changed
  Text rule;     // the deciding binding
  std::optional<int64_t> duration_ms;
  Text request_id;
  std::optional<crypto::Digest> argument_digest;  // never the arguments
  Text reported_by;                               // "gateway" when a remote gateway sent it
  Text payload;                                   // JSON text, or empty
};
using Event = BasicEvent<std::string>;
using EventView = BasicEvent<std::string_view>;  // of an event that lies somewhere else

inline constexpr size_t kTexts = 13;
template <class Text>
inline constexpr std::array<Text BasicEvent<Text>::*, kTexts> kTextsOf = {
    &BasicEvent<Text>::project,          &BasicEvent<Text>::session,          &BasicEvent<Text>::user,
    &BasicEvent<Text>::token_name,       &BasicEvent<Text>::client_name,      &BasicEvent<Text>::client_version,
    &BasicEvent<Text>::client_address,   &BasicEvent<Text>::server,           &BasicEvent<Text>::subject,
    &BasicEvent<Text>::rule,             &BasicEvent<Text>::request_id,       &BasicEvent<Text>::reported_by,
    &BasicEvent<Text>::payload,  // the last: it has rules of its own
};

// An EventView of an Event, or an Event with the texts of an EventView.
template <class To, class From>
BasicEvent<To> event_as(const BasicEvent<From>& from) {
  BasicEvent<To> out;
  out.seq = from.seq, out.time_ms = from.time_ms, out.kind = from.kind, out.outcome = from.outcome;
  out.token_sha = from.token_sha, out.duration_ms = from.duration_ms, out.argument_digest = from.argument_digest;
  for (size_t i = 0; i < kTexts; ++i)
    out.*kTextsOf<To>[i] = To(from.*kTextsOf<From>[i]);
  return out;
}
inline EventView view_of(const Event& event) { return event_as<std::string_view>(event); }

// User, token, project and address of a principal; the rest is the caller's.
Event event_by(const rbac::Principal& who, Kind kind, Outcome outcome, int64_t time_ms);

// Sets event.seq. On the connection's thread, inside a write transaction; it disappears with that transaction.
Result<void> append(db::Transaction& transaction, Event& event);

// The tables of this folder, for store::Options::schemas.
db::Schema schema();

}  // namespace mcptoken::audit
