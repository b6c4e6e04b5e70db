// Reading the record back, newest first.
#pragma once

#include <vector>

#include "audit/event.h"

namespace mcptoken::audit {

// Everything given must match; bytes are compared. Only token_sha has an index: other filters scan backwards from
// before_seq, at most `scan` rows, so that a query cannot hold the writer.
struct Filter {
  std::optional<std::string> project, session, user, token_name, server, subject;
  std::optional<crypto::Digest> token_sha;
  std::optional<Kind> kind;
  std::optional<Outcome> outcome;
  std::optional<int64_t> from_ms, until_ms;  // from <= time < until
  std::optional<int64_t> before_seq;         // the cursor
  int64_t limit = 100;
  int64_t scan = 100'000;
};

// `next_before_seq` continues the scan; nothing when the beginning was reached.
struct Page {
  std::vector<Event> events;
  std::optional<int64_t> next_before_seq;
};

Result<Page> query(db::Transaction& transaction, const Filter& filter);

}  // namespace mcptoken::audit
