#include "audit/chain.h"

#include "audit/table.h"
#include "unit/audit/fixture.h"

using namespace mcptoken;
using namespace mcptoken::audit;
using mcptoken::testing::AuditFixture;

namespace {

constexpr int64_t kRecords = 10'000;

struct Chain : AuditFixture {
  Chain() { key.fill(3); }

  void fill(int64_t count) {
    write([&](db::Transaction& transaction) {
      for (int64_t i = 1; i <= count; ++i) {
        Event event;
        event.time_ms = i;
        event.project = "p";
        event.session = "s" + std::to_string(i % 7);
        event.subject = "tool";
        if (i % 2) event.duration_ms = i;
        if (i % 3 == 0) event.token_sha = crypto::sha256(std::to_string(i));
        REQUIRE(append(transaction, event));
        if (i % 100 == 0) REQUIRE(seal(transaction, key));
      }
      REQUIRE(seal(transaction, key));
    });
  }
  Verification check(db::Transaction& transaction, std::optional<Head> expected = std::nullopt) {
    Verification state;
    while (!state.done)
      REQUIRE(verify(transaction, key, expected, 3'000, state));
    return state;
  }
  Verification check(std::optional<Head> expected = std::nullopt) {
    Verification state;
    write([&](db::Transaction& transaction) { state = check(transaction, expected); });
    return state;
  }
  // What verification says about a record that somebody without the key has changed; the change is undone.
  template <class F>
  Verification after(F change) {
    auto transaction = db::Transaction::begin(*connection);
    REQUIRE(transaction);
    change(*transaction);
    return check(*transaction);
  }
  static Cut before(int64_t time_ms) {
    Cut cut;
    cut.before_ms = time_ms;
    return cut;
  }
  Head now() {
    Head out;
    write([&](db::Transaction& transaction) { out = *head(transaction); });
    return out;
  }

  crypto::Digest signature() {
    crypto::Digest out{};
    write([&](db::Transaction& transaction) {
      auto rows = transaction.prepare("SELECT signature FROM audit_head");
      REQUIRE(rows);
      REQUIRE(*rows->step());
      out = *rows->bytes<32>(0);
    });
    return out;
  }
  // Verification of the few records from `seq` on, as it would go on behind `last`; the change is undone.
  template <class F>
  Verification near(const Head& last, F change) {
    auto transaction = db::Transaction::begin(*connection);
    REQUIRE(transaction);
    change(*transaction);
    Verification state;
    state.last = last;
    state.checked = last.seq;
    while (!state.done && state.checked < last.seq + 6)
      REQUIRE(verify(*transaction, key, std::nullopt, 3, state));
    return state;
  }

  crypto::Key key{};
};

}  // namespace

TEST_CASE_FIXTURE(Chain, "chain: an untouched record is intact") {
  CHECK(check().intact);
  fill(kRecords);
  const auto state = check();
  CHECK(state.intact);
  CHECK(state.checked == kRecords);
  CHECK(state.first_seq == 1);
  CHECK(state.last.seq == kRecords);
  CHECK(state.last.link == now().link);
  key[0] ^= 1;
  CHECK(check().problem_seq == 1);
}

TEST_CASE_FIXTURE(Chain, "chain: links of events at hand are those of their rows, whatever lies between") {
  std::vector<Event> events(53);
  for (size_t i = 0; i < events.size(); ++i) {
    Event& event = events[i];
    event.time_ms = -static_cast<int64_t>(i);
    event.kind = static_cast<Kind>(1 + i % 17);
    event.outcome = static_cast<Outcome>(1 + i % 5);
    for (auto* field : {&event.project, &event.session, &event.user, &event.token_name, &event.client_name, &event.client_version,
                        &event.client_address, &event.server, &event.subject, &event.rule, &event.request_id, &event.reported_by})
      *field = std::string(i % 4, 'x') + std::to_string(i);
    if (i % 2) event.duration_ms = static_cast<int64_t>(i);
    if (i % 3) event.token_sha = crypto::sha256(std::to_string(i));
    if (i % 5) event.argument_digest = crypto::sha256("a" + std::to_string(i));
    event.payload = i % 7 ? std::string("\"\xff\0\"", 4) : std::string();
  }
  std::vector<EventView> views(events.size());
  std::transform(events.begin(), events.end(), views.begin(), view_of);
  const auto round = [&](db::Transaction& transaction) {
    REQUIRE(append_rows(transaction, views));
    CHECK(views[52].seq == views[0].seq + 52);
    REQUIRE(seal(transaction, key, views));
  };
  write(round);
  CHECK(check().checked == 53);
  write([&](db::Transaction& transaction) {
    Event other;
    REQUIRE(append(transaction, other));  // before them
    round(transaction);
    REQUIRE(append(transaction, other));  // behind them
    REQUIRE(seal(transaction, key, views));
  });
  CHECK(check().checked == 108);
  write([&](db::Transaction& transaction) {
    Event foreign;
    REQUIRE(append(transaction, foreign));
    REQUIRE(*disown(transaction) == 1);
    round(transaction);
    REQUIRE(transaction.run("DELETE FROM audit_chain WHERE seq = 109"));
    REQUIRE(transaction.run("DELETE FROM audit WHERE seq = 109"));
  });
  const auto state = check();
  CHECK(state.intact);
  CHECK(state.checked == 161);
}

TEST_CASE_FIXTURE(Chain, "chain: every edit, deletion, insertion and reorder is found") {
  fill(kRecords);
  for (int64_t seq : {int64_t{1}, int64_t{2}, int64_t{99}, int64_t{100}, int64_t{3'000}, int64_t{3'001}, kRecords - 1, kRecords}) {
    CAPTURE(seq);
    const auto edited = after([&](auto& tx) { REQUIRE(tx.run("UPDATE audit SET subject = 'other' WHERE seq = ?1", seq)); });
    CHECK_FALSE(edited.intact);
    CHECK(edited.problem_seq == seq);
    const auto deleted = after([&](auto& tx) {
      REQUIRE(tx.run("DELETE FROM audit WHERE seq = ?1", seq));
      REQUIRE(tx.run("DELETE FROM audit_chain WHERE seq = ?1", seq));
    });
    CHECK_FALSE(deleted.intact);
    CHECK(deleted.problem_seq == std::min(seq + 1, kRecords));  // of the last one the head tells
    if (seq + 1 <= kRecords) {
      const auto swapped = after([&](auto& tx) {
        for (auto& sql : {db::Sql("UPDATE audit SET seq = -1 WHERE seq = ?1"), db::Sql("UPDATE audit SET seq = ?1 WHERE seq = ?1 + 1"),
                          db::Sql("UPDATE audit SET seq = ?1 + 1 WHERE seq = -1")})
          REQUIRE(tx.run(sql, seq));
      });
      CHECK_FALSE(swapped.intact);
      CHECK(swapped.problem_seq == seq);
    }
  }
  for (const auto& sql :
       {db::Sql("UPDATE audit SET time_ms = 0 WHERE seq = ?1"), db::Sql("UPDATE audit SET kind = 1 WHERE seq = ?1"),
        db::Sql("UPDATE audit SET outcome = 5 WHERE seq = ?1"), db::Sql("UPDATE audit SET project = 'q' WHERE seq = ?1"),
        db::Sql("UPDATE audit SET session = '' WHERE seq = ?1"), db::Sql("UPDATE audit SET user = 'u' WHERE seq = ?1"),
        db::Sql("UPDATE audit SET token_name = 't' WHERE seq = ?1"), db::Sql("UPDATE audit SET token_sha = NULL WHERE seq = ?1"),
        db::Sql("UPDATE audit SET client_name = 'c' WHERE seq = ?1"), db::Sql("UPDATE audit SET client_version = 'c' WHERE seq = ?1"),
        db::Sql("UPDATE audit SET client_address = 'c' WHERE seq = ?1"), db::Sql("UPDATE audit SET server = 's' WHERE seq = ?1"),
        db::Sql("UPDATE audit SET rule = 'r' WHERE seq = ?1"), db::Sql("UPDATE audit SET duration_ms = NULL WHERE seq = ?1"),
        db::Sql("UPDATE audit SET request_id = 'r' WHERE seq = ?1"), db::Sql("UPDATE audit SET argument_digest = x'00' WHERE seq = ?1"),
        db::Sql("UPDATE audit SET reported_by = 'r' WHERE seq = ?1"), db::Sql("UPDATE audit SET payload = '{}' WHERE seq = ?1"),
        db::Sql("UPDATE audit SET project = '', session = project || session WHERE seq = ?1"),
        db::Sql("UPDATE audit_chain SET link = zeroblob(32) WHERE seq = ?1"), db::Sql("DELETE FROM audit_chain WHERE seq = ?1")}) {
    CAPTURE(sql.text());
    CHECK(after([&](auto& tx) { REQUIRE(tx.run(sql, 5'001)); }).problem_seq == 5'001);
  }
  const auto inserted = after([&](auto& tx) {
    REQUIRE(tx.run("UPDATE audit SET seq = seq + 20000 WHERE seq > 7000"));
    REQUIRE(tx.run("UPDATE audit SET seq = seq - 19999 WHERE seq > 20000"));
    REQUIRE(tx.run("UPDATE audit_chain SET seq = seq + 20000 WHERE seq > 7000"));
    REQUIRE(tx.run("UPDATE audit_chain SET seq = seq - 19999 WHERE seq > 20000"));
    REQUIRE(tx.run("INSERT INTO audit SELECT 7001, time_ms, kind, outcome, project, session, user, token_name, token_sha,"
                   " client_name, client_version, client_address, server, subject, rule, duration_ms, request_id,"
                   " argument_digest, reported_by, payload FROM audit WHERE seq = 7000"));
    REQUIRE(tx.run("INSERT INTO audit_chain SELECT 7001, link FROM audit_chain WHERE seq = 7000"));
  });
  CHECK(inserted.problem_seq == 7'001);
}

// At every place there is. What lies before the place was seen to be right, what lies behind the next few does not
// matter: a verification ends at the first record that is wrong. Numbers have gaps, so that there is room for what is
// inserted.
TEST_CASE_FIXTURE(Chain, "chain: no single record of 10,000 can be edited, removed, inserted or moved") {
  fill(kRecords);
  write([&](db::Transaction& tx) {
    for (const auto& sql : {db::Sql("DELETE FROM audit_chain"), db::Sql("DELETE FROM audit_head"),
                            db::Sql("UPDATE audit SET seq = -2 * seq"), db::Sql("UPDATE audit SET seq = -seq")})
      REQUIRE(tx.run(sql));
    REQUIRE(seal(tx, key));
  });
  REQUIRE(check().intact);
  std::vector<Head> links = {Head()};
  write([&](db::Transaction& tx) {
    auto rows = tx.prepare("SELECT seq, link FROM audit_chain ORDER BY seq");
    REQUIRE(rows);
    while (*rows->step())
      links.push_back({rows->integer(0), *rows->bytes<32>(1)});
  });
  REQUIRE(links.size() == kRecords + 1);
  const db::Sql insert(
      "INSERT INTO audit SELECT ?1 + 1, time_ms, kind, outcome, project, session, user, token_name, token_sha, "
      "client_name,"
      " client_version, client_address, server, subject, rule, duration_ms, request_id, argument_digest, reported_by, "
      "payload"
      " FROM audit WHERE seq = ?1");
  int64_t missed = 0;
  const auto found = [&](const Head& last, const auto& change, int64_t at) {
    const auto state = near(last, change);
    missed += state.intact || state.problem_seq != at;
  };
  for (int64_t i = 1; i <= kRecords; ++i) {
    const int64_t seq = 2 * i;
    const bool is_last = i == kRecords;
    const Head& last = links[static_cast<size_t>(i - 1)];
    found(
        last, [&](auto& tx) { REQUIRE(tx.run("UPDATE audit SET outcome = 5 - outcome WHERE seq = ?1", seq)); }, seq);
    found(
        last, [&](auto& tx) { REQUIRE(tx.run("UPDATE audit_chain SET link = randomblob(32) WHERE seq = ?1", seq)); },
        seq);
    for (const bool with_link : {false, true}) {
      found(
          last,
          [&](auto& tx) {
            REQUIRE(tx.run("DELETE FROM audit WHERE seq = ?1", seq));
            if (with_link) REQUIRE(tx.run("DELETE FROM audit_chain WHERE seq = ?1", seq));
            // The last one with the head that it had left behind.
            if (is_last) REQUIRE(tx.run("UPDATE audit_head SET seq = ?1, link = ?2", last.seq, last.link));
          },
          is_last ? seq - 1 : seq + 2);
      found(
          last,
          [&](auto& tx) {
            REQUIRE(tx.run(insert, seq));
            if (with_link)
              REQUIRE(tx.run("INSERT INTO audit_chain SELECT seq + 1, link FROM audit_chain WHERE seq = ?1", seq));
            if (is_last && with_link) REQUIRE(tx.run("UPDATE audit_head SET seq = seq + 1"));
          },
          seq + 1);
      if (is_last) continue;
      found(
          last,
          [&](auto& tx) {
            for (const auto& sql : {db::Sql("UPDATE audit SET seq = -1 WHERE seq = ?1"),
                                    db::Sql("UPDATE audit SET seq = ?1 WHERE seq = ?1 + 2"),
                                    db::Sql("UPDATE audit SET seq = ?1 + 2 WHERE seq = -1")})
              REQUIRE(tx.run(sql, seq));
            if (!with_link) return;
            for (const auto& sql : {db::Sql("UPDATE audit_chain SET seq = -1 WHERE seq = ?1"),
                                    db::Sql("UPDATE audit_chain SET seq = ?1 WHERE seq = ?1 + 2"),
                                    db::Sql("UPDATE audit_chain SET seq = ?1 + 2 WHERE seq = -1")})
              REQUIRE(tx.run(sql, seq));
          },
          seq);
    }
  }
  CHECK(missed == 0);
  CHECK(check().intact);
}

TEST_CASE_FIXTURE(Chain, "chain: what goes on from a head that is not ours never becomes ours") {
  fill(20);
  const auto cut = [&](db::Transaction& tx) {
    REQUIRE(tx.run("DELETE FROM audit WHERE seq > 15"));
    REQUIRE(tx.run("DELETE FROM audit_chain WHERE seq > 15"));
    REQUIRE(tx.run("UPDATE audit_head SET seq = 15, link = (SELECT link FROM audit_chain WHERE seq = 15)"));
  };
  write(cut);
  write([&](db::Transaction& tx) { CHECK(*disown(tx) == 0); });
  fill(10);
  CHECK_FALSE(check().intact);
  fill(10);
  const auto state = check();
  CHECK_FALSE(state.intact);
  CHECK(state.problem == "the head is not genuine: records at the end may be missing");
}

TEST_CASE_FIXTURE(Chain, "chain: a cut tail shows in the head, a replayed database in a noted head") {
  fill(50);
  const Head noted = now();
  const auto old_signature = signature();
  fill(50);
  CHECK(check(noted).intact);
  const auto cut = after([&](auto& tx) {
    REQUIRE(tx.run("DELETE FROM audit WHERE seq > 90"));
    REQUIRE(tx.run("DELETE FROM audit_chain WHERE seq > 90"));
  });
  CHECK_FALSE(cut.intact);
  CHECK(cut.problem_seq == 91);
  const Head last = now();
  auto replay = db::Transaction::begin(*connection);
  REQUIRE(replay);
  REQUIRE(replay->run("DELETE FROM audit WHERE seq > 50"));
  REQUIRE(replay->run("DELETE FROM audit_chain WHERE seq > 50"));
  // The link of an earlier record, which everybody can read, is no head; only an older head is.
  REQUIRE(replay->run("UPDATE audit_head SET seq = 50, link = ?1", noted.link));
  CHECK(check(*replay).problem_seq == 51);
  REQUIRE(replay->run("UPDATE audit_head SET signature = NULL"));
  CHECK(check(*replay).problem_seq == 51);
  REQUIRE(replay->run("UPDATE audit_head SET signature = ?1", old_signature));
  CHECK(check(*replay).intact);  // a consistent older state
  CHECK_FALSE(check(*replay, last).intact);
  CHECK_FALSE(check(*replay, Head{50, last.link}).intact);
}

TEST_CASE_FIXTURE(Chain, "chain: what is put behind the end while nobody runs is never taken for ours") {
  write([&](db::Transaction& tx) { CHECK(*disown(tx) == 0); });
  fill(10);
  write([&](db::Transaction& tx) {
    CHECK(*disown(tx) == 0);
    Event foreign;
    REQUIRE(append(tx, foreign));
  });
  CHECK(check().problem_seq == 11);
  write([&](db::Transaction& tx) { CHECK(*disown(tx) == 1); });
  fill(10);
  CHECK(now().seq == 21);
  const auto state = check();
  CHECK_FALSE(state.intact);
  CHECK(state.problem_seq == 11);
}

TEST_CASE_FIXTURE(Chain, "chain: a record whose chain was taken away is not chained anew") {
  fill(10);
  write([&](db::Transaction& tx) {
    for (const auto& sql : {db::Sql("DELETE FROM audit_chain"), db::Sql("DELETE FROM audit_head"),
                            db::Sql("UPDATE audit SET user = 'somebody else' WHERE seq = 3")})
      REQUIRE(tx.run(sql));
    CHECK(*disown(tx) == 10);
    REQUIRE(seal(tx, key));
  });
  CHECK(check().problem_seq == 1);
}

TEST_CASE_FIXTURE(Chain, "chain: purging leaves a signed checkpoint") {
  fill(1'000);
  write([&](db::Transaction& tx) {
    CHECK(*purge(tx, key, before(501), 200) == 200);
    CHECK(*purge(tx, key, before(501), 1'000) == 300);
    CHECK(*purge(tx, key, before(501), 1'000) == 0);
  });
  const auto state = check();
  CHECK(state.intact);
  CHECK(state.first_seq == 501);
  CHECK(state.checked == 500);
  CHECK_FALSE(after([](auto& tx) { REQUIRE(tx.run("DELETE FROM audit_checkpoint")); }).intact);
  CHECK_FALSE(after([](auto& tx) { REQUIRE(tx.run("DELETE FROM audit WHERE seq = 501")); }).intact);
  const auto forged = after([](auto& tx) {  // a longer prefix, without the key
    REQUIRE(tx.run("UPDATE audit_checkpoint SET seq = 600, link = (SELECT link FROM audit_chain WHERE seq = 600)"));
    REQUIRE(tx.run("DELETE FROM audit WHERE seq <= 600"));
  });
  CHECK_FALSE(forged.intact);
  CHECK(forged.problem == "the checkpoint is not genuine");
  write([&](db::Transaction& tx) { CHECK(*purge(tx, key, Cut(), 10'000) == 500); });
  CHECK(check().intact);
  fill(10);
  CHECK(check().checked == 10);
}

TEST_CASE_FIXTURE(Chain, "chain: a purge takes a beginning, by time or by number, and its sessions") {
  fill(100);
  write([&](db::Transaction& tx) {  // time goes back for a while: what came later waits for it
    REQUIRE(tx.run("DELETE FROM audit_chain"));
    REQUIRE(tx.run("DELETE FROM audit_head"));
    REQUIRE(tx.run("UPDATE audit SET time_ms = 1000 WHERE seq = 50"));
    REQUIRE(seal(tx, key));
    CHECK(*purge(tx, key, before(60), 1'000) == 49);
    CHECK(sessions(tx, {})->sessions.size() == 24);  // each of the seven of several tokens
    Cut cut;
    cut.before_seq = 52;
    CHECK(*purge(tx, key, cut, 1'000) == 2);
    cut.before_seq = INT64_MAX;
    cut.before_ms = 98;
    CHECK(*purge(tx, key, cut, 1'000) == 46);
  });
  const auto state = check();
  CHECK(state.intact);
  CHECK(state.first_seq == 98);
}

TEST_CASE_FIXTURE(Chain, "chain: nothing is purged that is not what was written") {
  fill(100);
  for (const auto& sql :
       {db::Sql("UPDATE audit SET time_ms = 1 WHERE seq = 60"),  // recent ones made old
        db::Sql("DELETE FROM audit WHERE seq = 20"), db::Sql("UPDATE audit SET user = 'u' WHERE seq = 1"),
        db::Sql("UPDATE audit_chain SET link = zeroblob(32) WHERE seq = 59"), db::Sql("DELETE FROM audit_chain WHERE seq = 30")}) {
    CAPTURE(sql.text());
    auto transaction = db::Transaction::begin(*connection);
    REQUIRE(transaction);
    REQUIRE(transaction->run(sql));
    const auto purged = purge(*transaction, key, before(70), 1'000);
    REQUIRE_FALSE(purged);
    CHECK(purged.error().status == Status::corrupt);
    CHECK_FALSE(check(*transaction).intact);
  }
  key[0] ^= 1;
  write([&](db::Transaction& tx) { CHECK(purge(tx, key, before(70), 1'000).error().status == Status::corrupt); });
}

TEST_CASE_FIXTURE(Chain, "chain: a purge under way does not disturb a verification") {
  fill(1'000);
  const Head noted = now();
  write([&](db::Transaction& tx) {
    Verification state;
    REQUIRE(verify(tx, key, noted, 100, state));
    REQUIRE(purge(tx, key, before(501), 1'000));
    REQUIRE(verify(tx, key, noted, 100, state));
    CHECK(state.last.seq == 600);
    while (!state.done)
      REQUIRE(verify(tx, key, noted, 100, state));
    CHECK(state.intact);
    CHECK(state.met);
  });
}

TEST_CASE_FIXTURE(Chain, "chain: a noted head that was purged is not vouched for") {
  fill(50);
  const Head noted = now();
  fill(50);
  write([&](db::Transaction& tx) { REQUIRE(purge(tx, key, Cut{INT64_MAX, 51}, 1'000)); });
  CHECK(check(noted).intact);  // the checkpoint names it
  write([&](db::Transaction& tx) { REQUIRE(purge(tx, key, Cut{INT64_MAX, 61}, 1'000)); });
  const auto state = check(noted);
  CHECK_FALSE(state.intact);
  CHECK(state.problem == "the noted head was purged since: note a newer one");
}

TEST_CASE("chain: heads as people note them down") {
  REQUIRE(crypto::init());
  Head head;
  head.seq = 12;
  head.link = crypto::sha256("x");
  const auto text = to_text(head);
  CHECK(text.starts_with("12:"));
  const auto back = head_of(text);
  REQUIRE(back);
  CHECK(back->seq == 12);
  CHECK(back->link == head.link);
  for (const auto& bad : {std::string(), std::string("12"), std::string("12:"), text + "0", "x" + text, "-" + text, " " + text})
    CHECK_FALSE(head_of(bad));
}

// What verification sees of one bad record does not depend on what comes after it, so all records are made bad at once, and
// for each the verification goes on from the true state in front of it.
TEST_CASE_FIXTURE(Chain, "chain: RB-06 every record is guarded in every column, in its place and its number") {
  fill(kRecords);
  std::vector<crypto::Digest> links(1);
  write([&](db::Transaction& tx) {
    auto rows = tx.prepare("SELECT link FROM audit_chain ORDER BY seq");
    while (*rows->step())
      links.push_back(*rows->bytes<32>(0));
  });
  REQUIRE(links.size() == kRecords + 1);
  // How many of the records from `first` on, `step` apart, are found bad right after what was before them.
  const auto found = [&](db::Transaction& tx, int64_t first, int64_t step, int64_t problem) {
    int64_t count = 0;
    for (int64_t seq = first; seq <= kRecords; seq += step) {
      Verification state;
      state.checked = seq - 1;
      state.last = {seq - 1, links[static_cast<size_t>(seq - 1)]};
      REQUIRE(verify(tx, key, std::nullopt, 1, state));
      count += state.done && !state.intact && state.problem_seq == seq + problem;
    }
    return count;
  };
  const auto intact = after([&](auto& tx) { CHECK(found(tx, 2, 1, 0) == 0); });
  CHECK(intact.intact);
  for (const auto& sql :
       {db::Sql("UPDATE audit SET time_ms = time_ms + 1"), db::Sql("UPDATE audit SET kind = kind + 1"),
        db::Sql("UPDATE audit SET outcome = outcome % 5 + 1"), db::Sql("UPDATE audit SET project = 'P'"),
        db::Sql("UPDATE audit SET session = session || 'x'"), db::Sql("UPDATE audit SET user = 'x'"),
        db::Sql("UPDATE audit SET token_name = 'x'"),
        db::Sql("UPDATE audit SET token_sha = CASE WHEN token_sha IS NULL THEN x'00' ELSE NULL END"),
        db::Sql("UPDATE audit SET client_name = 'x'"), db::Sql("UPDATE audit SET client_version = 'x'"),
        db::Sql("UPDATE audit SET client_address = 'x'"), db::Sql("UPDATE audit SET server = 'x'"),
        db::Sql("UPDATE audit SET subject = upper(subject)"), db::Sql("UPDATE audit SET rule = 'x'"),
        db::Sql("UPDATE audit SET duration_ms = CASE WHEN duration_ms IS NULL THEN 0 ELSE NULL END"),
        db::Sql("UPDATE audit SET request_id = 'x'"), db::Sql("UPDATE audit SET argument_digest = x''"),
        db::Sql("UPDATE audit SET reported_by = 'x'"), db::Sql("UPDATE audit SET payload = '{}'"),
        db::Sql("UPDATE audit SET project = '', session = project || session"),
        db::Sql("UPDATE audit_chain SET link = zeroblob(32)"), db::Sql("DELETE FROM audit_chain")}) {
    CAPTURE(sql.text());
    after([&](auto& tx) {
      REQUIRE(tx.run(sql));
      CHECK(found(tx, 2, 1, 0) == kRecords - 1);
    });
  }
  for (int64_t odd : {0, 1}) {
    after([&](auto& tx) {
      REQUIRE(tx.run("DELETE FROM audit WHERE seq % 2 = ?1", odd));
      REQUIRE(tx.run("DELETE FROM audit_chain WHERE seq % 2 = ?1", odd));
      // The one behind it is what shows it; of the last one the head does.
      CHECK(found(tx, odd == 1 ? 3 : 2, 2, 1) == kRecords / 2 - 1);
    });
  }
  // Each has the contents of its neighbour, as after an insertion or when two were exchanged; with its own link or along with it.
  for (int64_t shift : {1, -1}) {
    for (bool links_too : {false, true}) {
      CAPTURE(shift);
      after([&](auto& tx) {
        REQUIRE(tx.run("UPDATE audit SET seq = -seq"));
        REQUIRE(tx.run("UPDATE audit SET seq = -seq + ?1", shift));
        if (links_too) {
          REQUIRE(tx.run("UPDATE audit_chain SET seq = -seq"));
          REQUIRE(tx.run("UPDATE audit_chain SET seq = -seq + ?1", shift));
        }
        CHECK(found(tx, 2, 1, 0) >= kRecords - 2);
      });
    }
  }
}
