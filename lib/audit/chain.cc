#include "audit/chain.h"

#include <algorithm>

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
constexpr std::string_view kCheckpointLabel = "mcptoken audit checkpoint";

void add_integer(std::string& out, int64_t value) {
  char bytes[8];
  for (int i = 0; i < 8; ++i)
    bytes[i] = static_cast<char>(static_cast<uint64_t>(value) >> (56 - 8 * i));
  out.append(bytes, sizeof bytes);
}

// Each field with its presence and length: no two events have the same bytes.
std::string bytes_of(const db::Statement& row, const crypto::Digest& previous) {
  std::string out;
  out.reserve(1024);
  out.append(as_text(previous));
  for (int i = 0; i < kColumns; ++i) {
    out.push_back(row.is_null(i) ? 0 : 1);
    if (kColumnTypes[i] == 'i') {
      add_integer(out, row.integer(i));
      continue;
    }
    const auto text = kColumnTypes[i] == 't' ? row.text_view(i) : as_text(row.blob(i));
    add_integer(out, static_cast<int64_t>(text.size()));
    out += text;
  }
  return out;
}

crypto::Digest sign_checkpoint(const crypto::Key& key, const Head& base) {
  std::string text(kCheckpointLabel);
  add_integer(text, base.seq);
  text += as_text(base.link);
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
  out.genuine = crypto::equal(as_text(signature), as_text(sign_checkpoint(key, out.base)));
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
  const auto wanted = crypto::mac(key, bytes_of(row, last.link));
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

Result<Head> head(db::Transaction& transaction) {
  Head out;
  MCPT_TRY(auto rows, transaction.prepare("SELECT seq, link FROM audit_head"));
  MCPT_TRY(const bool found, rows.step());
  if (!found) return out;
  out.seq = rows.integer(0);
  MCPT_TRY(out.link, rows.bytes<32>(1));
  return out;
}

Result<void> seal(db::Transaction& transaction, const crypto::Key& key) {
  MCPT_TRY(auto last, head(transaction));
  const int64_t before = last.seq;
  MCPT_TRY(auto rows, transaction.prepare("SELECT " CHAINED_COLUMNS " FROM audit a LEFT JOIN audit_chain c ON c.seq = a.seq"
                                            " WHERE a.seq > ?1 AND c.seq IS NULL ORDER BY a.seq"));
  rows.bind(before);
  for (;;) {
    MCPT_TRY(const bool row, rows.step());
    if (!row) break;
    last.seq = rows.integer(0);
    last.link = crypto::mac(key, bytes_of(rows, last.link));
    MCPT_CHECK(transaction.run("INSERT INTO audit_chain (seq, link) VALUES (?1, ?2)", last.seq, last.link));
  }
  if (last.seq == before) return {};
  return transaction.run("INSERT INTO audit_head (id, seq, link) VALUES (1, ?1, ?2)"
                         " ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, link = excluded.link",
                         last.seq, last.link);
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
  MCPT_CHECK(transaction.run("INSERT INTO audit_checkpoint (id, seq, link, signature) VALUES (1, ?1, ?2, ?3)"
                             " ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, link = excluded.link,"
                             " signature = excluded.signature",
                             base.seq, base.link, sign_checkpoint(key, base)));
  return gone;
}

namespace {

// The record ends here: so must the head, and what was noted must have been seen.
Result<void> check_end(db::Transaction& transaction, const std::optional<Head>& expected, const Head& base,
                       Verification& state) {
  MCPT_TRY(const auto end, head(transaction));
  if (!same(end, state.last))
    return spoil(state, state.last.seq + 1, "records at the end are missing, or the head was changed"), Result<void>();
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
      return check_end(transaction, expected, start.base, state);
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
