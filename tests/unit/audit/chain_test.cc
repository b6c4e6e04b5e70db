#include "audit/chain.h"

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
  Head now() {
    Head out;
    write([&](db::Transaction& transaction) { out = *head(transaction); });
    return out;
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

TEST_CASE_FIXTURE(Chain, "chain: a cut tail shows in the head, a replayed database in a noted head") {
  fill(50);
  const Head noted = now();
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
  REQUIRE(replay->run("UPDATE audit_head SET seq = 50, link = ?1", noted.link));
  CHECK(check(*replay).intact);  // a consistent older state
  CHECK_FALSE(check(*replay, last).intact);
  CHECK_FALSE(check(*replay, Head{50, last.link}).intact);
}

TEST_CASE_FIXTURE(Chain, "chain: purging leaves a signed checkpoint") {
  fill(1'000);
  write([&](db::Transaction& tx) {
    CHECK(*purge(tx, key, 501, 200) == 200);
    CHECK(*purge(tx, key, 501, 1'000) == 300);
    CHECK(*purge(tx, key, 501, 1'000) == 0);
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
  write([&](db::Transaction& tx) { CHECK(*purge(tx, key, INT64_MAX, 10'000) == 500); });
  CHECK(check().intact);
  fill(10);
  CHECK(check().checked == 10);
}
