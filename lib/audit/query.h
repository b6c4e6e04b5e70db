// Reading the record back, newest first.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "audit/event.h"

namespace mcptoken::audit {

// Everything given must match; bytes are compared. Only token_sha has an index: other filters look backwards through
// the rows before before_seq, at most `scan` of them, so that a query never holds the writer for long.
struct Filter {
  std::optional<std::string> project, session, user, token_name, server, subject;
  std::optional<crypto::Digest> token_sha;
  std::optional<Kind> kind;
  std::optional<Outcome> outcome;
  std::optional<int64_t> from_ms, until_ms;  // from <= time < until
  std::optional<int64_t> before_seq;         // the cursor
  std::optional<rbac::Scope> scope;          // of projects; what belongs to none is for those who may view all
  size_t limit = 100;
  size_t scan = 20'000;
};

// next_before_seq continues where this page stopped, which may be before a full page was found; nothing at the
// beginning of the record.
struct Page {
  std::vector<Event> events;
  std::optional<int64_t> next_before_seq;
};

Result<Page> query(db::Transaction& transaction, const Filter& filter);

struct SessionSummary {
  std::string project, session, user, token_name, client_name;
  std::string token_sha;  // its bytes; empty: of no token, or of one that was not noted
  int64_t first_ms = 0;
  int64_t last_ms = 0;
  int64_t events = 0;
  int64_t denied = 0;
};

// Where a session stands in the list: by its last event, and among equals by name and token.
struct SessionPlace {
  int64_t last_ms = INT64_MAX;
  std::string project, session, token_sha;
};

// As Filter. One that is used while pages are read moves to the front of the list.
struct SessionFilter {
  std::optional<std::string> project, user, token_name;
  std::optional<int64_t> from_ms, until_ms;  // from <= last event < until
  std::optional<SessionPlace> after;         // the cursor
  std::optional<rbac::Scope> scope;
  size_t limit = 100;
  size_t scan = 20'000;
};

struct SessionPage {
  std::vector<SessionSummary> sessions;
  std::optional<SessionPlace> next;
};

// The latest first.
Result<SessionPage> sessions(db::Transaction& transaction, const SessionFilter& filter);

}  // namespace mcptoken::audit
