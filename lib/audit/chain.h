// The chain over the record: every event has a link, HMAC(key, previous link, event), and the head names the last one. Who
// has no key cannot change, remove, insert or reorder events without verify() saying so. What an older copy of the whole
// database would hide is found by comparing the head with one that was noted down elsewhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "audit/event.h"
#include "crypto/crypto.h"

namespace mcptoken::audit {

struct Head {
  int64_t seq = 0;  // 0: nothing is sealed yet
  crypto::Digest link{};
};

Result<Head> head(db::Transaction& transaction);

// Links every event that has none, in the order of arrival, and moves the head. The last act of each transaction that
// appends: event, link and head are committed together.
Result<void> seal(db::Transaction& transaction, const crypto::Key& key);

// Removes the events before that instant from the beginning of the record, up to the first later one, `most` at a time;
// how many went. A signed checkpoint takes their place. In a write transaction.
Result<int64_t> purge(db::Transaction& transaction, const crypto::Key& key, int64_t before_ms, int64_t most);

// Where a verification stands; begins empty.
struct Verification {
  bool done = false;
  bool intact = true;
  int64_t checked = 0;
  int64_t first_seq = 0;  // the oldest event that is there
  Head last;              // the last link that was right
  std::string problem;    // for people, when not intact
  int64_t problem_seq = 0;
};

// Goes on by at most `most` events; call until done. `expected`: a head noted earlier, which must be in the chain.
Result<void> verify(db::Transaction& transaction, const crypto::Key& key, const std::optional<Head>& expected, int64_t most,
                    Verification& state);

}  // namespace mcptoken::audit
