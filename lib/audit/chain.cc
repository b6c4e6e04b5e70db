#include "audit/chain.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <vector>

#include "base/bytes.h"

// seq first; all that is known of an event, in an order that never changes.
#define CHAINED_COLUMNS                                                                                               \
  "a.seq, a.time_ms, a.kind, a.outcome, a.project, a.session, a.user, a.token_name, a.token_sha, a.client_name,"      \
  " a.client_version, a.client_address, a.server, a.subject, a.rule, a.duration_ms, a.request_id, a.argument_digest," \
  " a.reported_by, a.payload"

namespace mcptoken::audit {
namespace {

constexpr int kColumns = 20;
// integer, text, blob
constexpr char kColumnTypes[kColumns] = {'i', 'i', 'i', 'i', 't', 't', 't', 't', 'b', 't',
                                        't', 't', 't', 't', 't', 'i', 't', 'b', 't', 't'};
constexpr std::string_view kCheckpointLabel = "mcptoken audit checkpoint", kHeadLabel = "mcptoken audit head";

uint64_t big_endian(int64_t value) {
  const auto bits = static_cast<uint64_t>(value);
  return std::endian::native == std::endian::little ? __builtin_bswap64(bits) : bits;
}

void add_integer(std::string& out, int64_t value) {
  const uint64_t bytes = big_endian(value);
  out.append(reinterpret_cast<const char*>(&bytes), sizeof bytes);
}

// What a link is made of: each field with its presence and length, so that no two events have the same bytes. `memory`
// is used again for the next one.
class Bytes {
 public:
  explicit Bytes(std::string& memory) : memory_(memory) {}
  void previous(const crypto::Digest& link) { put(as_text(link)); }
  void integer(int64_t value) { field(1, value); }
  void text(std::string_view value) {
    field(1, static_cast<int64_t>(value.size()));
    put(value);
  }
  void no_integer() { field(0, 0); }
  void no_text() { no_integer(); }
  void maybe(const std::optional<int64_t>& value) { value ? integer(*value) : no_integer(); }
  void maybe(const std::optional<crypto::Digest>& value) { value ? text(as_text(*value)) : no_text(); }
  std::string_view view() const { return {memory_.data(), size_}; }

 private:
  char* room(size_t size) {
    if (memory_.size() - size_ < size) [[unlikely]]
      grow(size);
    char* const at = memory_.data() + size_;
    size_ += size;
    return at;
  }
  [[gnu::noinline]] void grow(size_t size) { memory_.resize(2 * (size_ + size) + 512); }
  void put(std::string_view text) {
    char* const at = room(text.size());
    if (!text.empty()) std::memcpy(at, text.data(), text.size());
  }
  void field(char present, int64_t value) {
    const uint64_t number = big_endian(value);
    char* at = room(1 + sizeof number);
    *at = present;
    std::memcpy(at + 1, &number, sizeof number);
  }
  std::string& memory_;
  size_t size_ = 0;
};

std::string_view read_row(const db::Statement& row, const crypto::Digest& previous, std::string& memory) {
  Bytes bytes(memory);
  bytes.previous(previous);
  for (int i = 0; i < kColumns; ++i) {
    const bool number = kColumnTypes[i] == 'i';
    if (row.is_null(i)) number ? bytes.no_integer() : bytes.no_text();
    else if (number) bytes.integer(row.integer(i));
    else bytes.text(kColumnTypes[i] == 't' ? row.text_view(i) : as_text(row.blob(i)));
  }
  return bytes.view();
}

// The same bytes as those of its row: in the order of CHAINED_COLUMNS.
std::string_view read_event(const EventView& event, const crypto::Digest& previous, std::string& memory) {
  Bytes bytes(memory);
  bytes.previous(previous);
  bytes.integer(event.seq);
  bytes.integer(event.time_ms);
  bytes.integer(static_cast<int64_t>(event.kind));
  bytes.integer(static_cast<int64_t>(event.outcome));
  for (auto* field : {&event.project, &event.session, &event.user, &event.token_name})
    bytes.text(*field);
  bytes.maybe(event.token_sha);
  for (auto* field : {&event.client_name, &event.client_version, &event.client_address, &event.server, &event.subject, &event.rule})
    bytes.text(*field);
  bytes.maybe(event.duration_ms);
  bytes.text(event.request_id);
  bytes.maybe(event.argument_digest);
  bytes.text(event.reported_by);
  bytes.text(event.payload);
  return bytes.view();
}

// Links stand in the record for everybody to read: without a signature of its own an earlier one could be made the
// head.
crypto::Digest sign(const crypto::Key& key, std::string_view label, const Head& place) {
  std::string text(label);
  add_integer(text, place.seq);
  text += as_text(place.link);
  return crypto::mac(key, text);
}

struct Checkpoint {
  Head base;  // the chain goes on from here
  bool genuine = true;
};

Result<Checkpoint> checkpoint(db::Transaction& transaction, const crypto::Key& key) {
  Checkpoint out;
  MCPT_TRY(auto rows, transaction.prepare("SELECT seq, link, signature FROM audit_checkpoint"));
  MCPT_TRY(const bool found, rows.step());
  if (!found) return out;
  out.base.seq = rows.integer(0);
  MCPT_TRY(out.base.link, rows.bytes<32>(1));
  MCPT_TRY(const auto signature, rows.bytes<32>(2));
  out.genuine = crypto::equal(as_text(signature), as_text(sign(key, kCheckpointLabel, out.base)));
  return out;
}

void spoil(Verification& state, int64_t seq, std::string why) {
  state.done = true;
  state.intact = false;
  state.problem_seq = seq;
  state.problem = std::move(why);
}

// Whether the current row, of a query for CHAINED_COLUMNS and the link, is what followed `last` when it was written; then it
// becomes `last`.
bool follows(const db::Statement& row, const crypto::Key& key, Head& last) {
  const int64_t seq = row.integer(0);
  std::string memory;
  const auto wanted = crypto::mac(key, read_row(row, last.link, memory));
  if (seq <= last.seq || !crypto::equal(as_text(row.blob(kColumns)), as_text(wanted))) return false;
  last = {seq, wanted};
  return true;
}

bool same(const Head& a, const Head& b) { return a.seq == b.seq && crypto::equal(as_text(a.link), as_text(b.link)); }

constexpr db::Sql kChained = "SELECT " CHAINED_COLUMNS ", c.link FROM audit a LEFT JOIN audit_chain c ON c.seq = a.seq"
                             " WHERE a.seq > ?1 ORDER BY a.seq";

}  // namespace

std::string to_text(const Head& head) { return std::to_string(head.seq) + ":" + to_hex(head.link); }

std::optional<Head> head_of(std::string_view text) {
  Head out;
  const auto colon = text.find(':');
  const auto seq = parse_decimal(text.substr(0, colon));
  if (colon == text.npos || !seq || !from_hex(text.substr(colon + 1), out.link)) return std::nullopt;
  out.seq = *seq;
  return out;
}

namespace {

struct SignedHead {
  Head head;
  std::optional<crypto::Digest> signature;

  // That nothing is sealed yet needs no signature: the first link would be wrong if it were not so.
  bool genuine(const crypto::Key& key) const {
    if (head.seq == 0) return true;
    return signature && crypto::equal(as_text(*signature), as_text(sign(key, kHeadLabel, head)));
  }
};

Result<SignedHead> signed_head(db::Transaction& transaction) {
  SignedHead out;
  MCPT_TRY(auto rows, transaction.prepare("SELECT seq, link, signature FROM audit_head"));
  MCPT_TRY(const bool found, rows.step());
  if (!found) return out;
  out.head.seq = rows.integer(0);
  MCPT_TRY(out.head.link, rows.bytes<32>(1));
  if (rows.is_null(2)) return out;
  MCPT_TRY(out.signature, rows.bytes<32>(2));
  return out;
}

}  // namespace

Result<Head> head(db::Transaction& transaction) {
  MCPT_TRY(const auto found, signed_head(transaction));
  return found.head;
}

namespace {

class LinkRows final : public db::Rows {
 public:
  explicit LinkRows(std::span<const Head> links) : links_(links) {}
  bool next(db::Row& row) noexcept override {
    if (links_.empty()) return false;
    row.set(links_.front().seq, links_.front().link);
    links_ = links_.subspan(1);
    return true;
  }

 private:
  std::span<const Head> links_;
};

Result<void> insert_links(db::Transaction& transaction, std::span<const Head> links) {
  LinkRows rows(links);
  return transaction.run("INSERT INTO audit_chain (seq, link) SELECT c1, c2 FROM rows(?1)", &rows);
}

// Links what lies right behind `last` among `written`, and moves it.
std::vector<Head> link_written(const crypto::Key& key, std::span<const EventView> written, Head& last) {
  std::vector<Head> links;
  links.reserve(written.size());
  std::string memory;
  for (const EventView& event : written) {
    if (event.seq == 0) continue;  // could not be written
    if (event.seq != last.seq + 1) break;  // others are in between: they are read, and so is what follows
    last = {event.seq, crypto::mac(key, read_event(event, last.link, memory))};
    links.push_back(last);
  }
  return links;
}

}  // namespace

Result<void> seal(db::Transaction& transaction, const crypto::Key& key, std::span<const EventView> written) {
  MCPT_TRY(const auto before, signed_head(transaction));
  Head last = before.head;
  MCPT_CHECK(insert_links(transaction, link_written(key, written, last)));
  MCPT_TRY(auto rows, transaction.prepare("SELECT " CHAINED_COLUMNS " FROM audit a LEFT JOIN audit_chain c ON c.seq = a.seq"
                                            " WHERE a.seq > ?1 AND c.seq IS NULL ORDER BY a.seq"));
  rows.bind(last.seq);
  std::string memory;
  for (;;) {
    MCPT_TRY(const bool row, rows.step());
    if (!row) break;
    const int64_t seq = rows.integer(0);
    last = {seq, crypto::mac(key, read_row(rows, last.link, memory))};
    MCPT_CHECK(insert_links(transaction, std::span(&last, 1)));
  }
  if (last.seq == before.head.seq) return {};
  // What goes on from a head that is not ours does not become ours.
  const auto signature = before.genuine(key) ? sign(key, kHeadLabel, last) : crypto::Digest();
  return transaction.run(
      "INSERT INTO audit_head (id, seq, link, signature) VALUES (1, ?1, ?2, ?3)"
      " ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, link = excluded.link,"
      " signature = excluded.signature",
      last.seq, last.link, signature);
}

Result<int64_t> disown(db::Transaction& transaction) {
  MCPT_TRY(const auto last, head(transaction));
  MCPT_CHECK(transaction.run("INSERT INTO audit_chain (seq, link) SELECT seq, zeroblob(32) FROM audit WHERE seq > ?1"
                             " ON CONFLICT DO NOTHING", last.seq));
  return transaction.connection().changes();
}

namespace {

// Of the first event that is there.
Result<int64_t> first_time(db::Transaction& transaction) {
  MCPT_TRY(auto rows, transaction.prepare("SELECT time_ms FROM audit ORDER BY seq LIMIT 1"));
  MCPT_TRY(const bool row, rows.step());
  return row ? rows.integer(0) : INT64_MAX;
}

}  // namespace

Result<int64_t> purge(db::Transaction& transaction, const crypto::Key& key, const Cut& cut, int64_t most) {
  MCPT_TRY(const auto start, checkpoint(transaction, key));
  if (!start.genuine) return fail(Status::corrupt, "the checkpoint of the audit record is not genuine");
  MCPT_TRY(const auto end, head(transaction));
  Head base = start.base;
  int64_t gone = 0, last_ms = INT64_MIN;
  {
    MCPT_TRY(auto rows, transaction.prepare(kChained));
    rows.bind(0);
    for (; gone < most; ++gone) {
      MCPT_TRY(const bool row, rows.step());
      if (!row || rows.integer(0) > end.seq || rows.integer(0) >= cut.before_seq || rows.integer(1) >= cut.before_ms) break;
      if (!follows(rows, key, base))
        return fail(Status::corrupt, "the audit record is not intact at " + std::to_string(rows.integer(0)) +
                                         ", so nothing of it is removed");
      last_ms = std::max(last_ms, rows.integer(1));
    }
  }
  if (gone == 0) return 0;
  MCPT_CHECK(transaction.run("DELETE FROM audit_chain WHERE seq <= ?1", base.seq));
  MCPT_CHECK(transaction.run("DELETE FROM audit WHERE seq <= ?1", base.seq));
  MCPT_TRY(const int64_t rest_ms, first_time(transaction));
  MCPT_CHECK(transaction.run("DELETE FROM audit_sessions WHERE last_ms <= ?1", std::min(last_ms, rest_ms - 1)));
  MCPT_CHECK(
      transaction.run("INSERT INTO audit_checkpoint (id, seq, link, signature) VALUES (1, ?1, ?2, ?3)"
                      " ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, link = excluded.link,"
                      " signature = excluded.signature",
                      base.seq, base.link, sign(key, kCheckpointLabel, base)));
  return gone;
}

namespace {

// The record ends here: so must the head, and what was noted must have been seen.
Result<void> check_end(db::Transaction& transaction, const crypto::Key& key, const std::optional<Head>& expected,
                       const Head& base, Verification& state) {
  MCPT_TRY(const auto end, signed_head(transaction));
  if (!same(end.head, state.last))
    return spoil(state, state.last.seq + 1, "records at the end are missing, or the head was changed"), Result<void>();
  if (!end.genuine(key))
    return spoil(state, state.last.seq + 1, "the head is not genuine: records at the end may be missing"),
           Result<void>();
  if (!expected || state.met) return {};
  if (expected->seq > state.last.seq)
    return spoil(state, state.last.seq + 1, "the record ends before the noted head"), Result<void>();
  return spoil(state, expected->seq,
               expected->seq < base.seq ? "the noted head was purged since: note a newer one"
                                        : "the noted head is not in the record"),
         Result<void>();
}

}  // namespace

Result<void> verify(db::Transaction& transaction, const crypto::Key& key, const std::optional<Head>& expected, int64_t most,
                    Verification& state) {
  // Read in every step: a purge that goes on at the same time takes away what would come next.
  MCPT_TRY(const auto start, checkpoint(transaction, key));
  if (!start.genuine) return spoil(state, start.base.seq, "the checkpoint is not genuine"), Result<void>();
  const auto meet = [&] { state.met = state.met || (expected && same(*expected, state.last)); };
  if (start.base.seq > state.last.seq) state.last = start.base;
  meet();
  MCPT_TRY(auto rows, transaction.prepare(kChained));
  rows.bind(state.checked == 0 ? 0 : state.last.seq);
  for (int64_t i = 0; i < most; ++i) {
    MCPT_TRY(const bool row, rows.step());
    if (!row) {
      state.done = true;
      return check_end(transaction, key, expected, start.base, state);
    }
    const int64_t seq = rows.integer(0);
    if (!follows(rows, key, state.last))
      return spoil(state, seq, "this record, or what was before it, is not what was written"), Result<void>();
    if (state.checked++ == 0) state.first_seq = seq;
    meet();
    if (expected && expected->seq == seq && !state.met)
      return spoil(state, seq, "the noted head is not in the record"), Result<void>();
  }
  return {};
}

}  // namespace mcptoken::audit
