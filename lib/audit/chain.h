// The chain over the record: every event has a link, MAC(key, previous link, event), and the head names the last one
// under a signature. Who has no key cannot change, remove, insert or reorder events without verify() saying so. What an
// older copy of the whole database would hide is found by comparing the head with one that was noted down elsewhere.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "audit/event.h"
#include "crypto/crypto.h"

namespace mcptoken::audit {

struct Head {
  int64_t seq = 0;  // 0: nothing is sealed yet
  crypto::Digest link{};
};

// "SEQ:HASH", as people note it down; nothing when it is not one.
std::string to_text(const Head& head);
std::optional<Head> head_of(std::string_view text);

Result<Head> head(db::Transaction& transaction);

// Links every event that has none, in the order of arrival, and moves the head. The last act of each transaction that
// appends: event, link and head are committed together. `written`: events that this transaction has appended, in order;
// those that come right behind the head need not be read back.
Result<void> seal(db::Transaction& transaction, const crypto::Key& key, std::span<const EventView> written = {});

// Before the first event of a process: those behind the head were not written by us, since events and links are committed
// together. They get a link that is wrong, so that verify() finds them for ever. How many there were.
Result<int64_t> disown(db::Transaction& transaction);

// Which part of the record goes: the longest beginning whose events all happened before `before_ms`, and are numbered
// below `before_seq`.
struct Cut {
  int64_t before_ms = INT64_MAX;
  int64_t before_seq = INT64_MAX;
};

// Removes it, `most` events at a time; how many went. A signed checkpoint takes their place. corrupt: the events there are
// not what was written; nothing is removed, since a new checkpoint would hide that. In a write transaction.
Result<int64_t> purge(db::Transaction& transaction, const crypto::Key& key, const Cut& cut, int64_t most);

// Where a verification stands; begins empty.
struct Verification {
  bool done = false;
  bool intact = true;
  int64_t checked = 0;
  int64_t first_seq = 0;  // the oldest event that is there
  Head last;              // the last link that was right
  bool met = false;       // the expected head was come across
  std::string problem;    // for people, when not intact
  int64_t problem_seq = 0;
};

// Goes on by at most `most` events; call until done. Events may arrive and a purge may go on meanwhile. `expected`: a head
// noted earlier, which must be in the chain.
Result<void> verify(db::Transaction& transaction, const crypto::Key& key, const std::optional<Head>& expected, int64_t most,
                    Verification& state);

}  // namespace mcptoken::audit
