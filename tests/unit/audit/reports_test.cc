#include "audit/reports.h"

#include "unit/audit/fixture.h"

using namespace mcptoken;
using namespace mcptoken::audit;
using mcptoken::testing::AuditFixture;

namespace {

struct Reports : AuditFixture {
  Reports() {
    by.token_sha = crypto::sha256("t");
    by.token_name = "t";
    by.project = "p";
    by.reported_by = "gateway";
    by.time_ms = 1'000;
  }
  Taken hand_in(const std::string& stream, std::vector<int64_t> numbers, int64_t next) {
    Batch batch;
    batch.stream = stream;
    batch.next = next;
    for (const int64_t number : numbers) {
      Event event = by;
      event.kind = Kind::rbac_decision;
      event.session = "s";
      event.subject = std::to_string(number);
      batch.events.push_back({number, std::move(event)});
    }
    Taken taken;
    write([&](db::Transaction& transaction) {
      auto done = take(transaction, by, std::move(batch));
      REQUIRE(done);
      taken = *done;
    });
    return taken;
  }
  // What is in the record, the oldest first: numbers, and "lost" with how many.
  std::string recorded() {
    std::string out;
    for (const Event& event : query({}).events)
      out = (event.kind == Kind::events_lost ? event.payload : event.subject) + (out.empty() ? "" : " ") + out;
    return out;
  }
  int64_t streams() {
    int64_t out = 0;
    write([&](db::Transaction& transaction) {
      auto rows = transaction.prepare("SELECT count(*) FROM audit_streams");
      REQUIRE(*rows->step());
      out = rows->integer(0);
    });
    return out;
  }
  Event by;
};

}  // namespace

TEST_CASE_FIXTURE(Reports, "reports: gaps are declared where they are, with the exact number") {
  auto taken = hand_in("a", {1, 2}, 3);
  CHECK(taken.written == 2);
  CHECK(taken.lost == 0);
  CHECK(taken.next == 3);
  taken = hand_in("a", {4, 9}, 12);
  CHECK(taken.written == 2);
  CHECK(taken.lost == 1 + 4 + 2);
  CHECK(taken.next == 12);
  CHECK(recorded() == R"(1 2 {"lost":1} 4 {"lost":4} 9 {"lost":2})");
  for (const Event& event : query({}).events) {
    CHECK(event.project == "p");
    CHECK(event.token_sha == by.token_sha);
    CHECK(event.reported_by == "gateway");
  }
}

TEST_CASE_FIXTURE(Reports, "reports: what comes again is not written again") {
  hand_in("a", {1, 2, 3}, 4);
  auto taken = hand_in("a", {1, 2, 3}, 4);
  CHECK(taken.repeated == 3);
  CHECK(taken.written == 0);
  taken = hand_in("a", {2, 3, 4, 5}, 6);
  CHECK(taken.repeated == 2);
  CHECK(taken.written == 2);
  CHECK(recorded() == "1 2 3 4 5");
  taken = hand_in("a", {}, 1);  // an answer that was lost, long ago
  CHECK(taken.next == 6);
  write([&](db::Transaction& transaction) { CHECK(sessions(transaction, {})->sessions.at(0).events == 5); });
}

TEST_CASE_FIXTURE(Reports, "reports: a batch and its numbers are one transaction") {
  Batch batch;
  batch.stream = "a";
  batch.next = 3;
  batch.events.push_back({2, by});
  auto transaction = db::Transaction::begin(*connection);
  REQUIRE(take(*transaction, by, batch));
  transaction->rollback();
  CHECK(hand_in("a", {1, 2}, 3).written == 2);
  CHECK(recorded() == "1 2");
}

TEST_CASE_FIXTURE(Reports, "reports: streams and tokens are apart") {
  hand_in("a", {1}, 2);
  CHECK(hand_in("b", {1}, 2).written == 1);
  by.token_sha = crypto::sha256("other");
  CHECK(hand_in("a", {1}, 2).written == 1);
  CHECK(hand_in("a", {2}, 3).lost == 0);
}

TEST_CASE_FIXTURE(Reports, "reports: a token's streams are bounded, the oldest go") {
  for (int64_t i = 0; i < limits::kReportStreamsPerToken + 10; ++i, ++by.time_ms)
    hand_in(std::to_string(i), {1}, 2);
  CHECK(streams() == limits::kReportStreamsPerToken);
  CHECK(hand_in("9", {2}, 3).lost == 1);  // forgotten: what it had handed in seems lost
  CHECK(hand_in("200", {2}, 3).lost == 0);
}

TEST_CASE_FIXTURE(Reports, "reports: old streams are forgotten, a few at a time") {
  for (int i = 0; i < 5; ++i, ++by.time_ms)
    hand_in(std::to_string(i), {1}, 2);
  write([&](db::Transaction& transaction) {
    CHECK(*forget_streams(transaction, 1'004, 3) == 3);
    CHECK(*forget_streams(transaction, 1'004, 3) == 1);
    CHECK(*forget_streams(transaction, 1'004, 3) == 0);
  });
  CHECK(streams() == 1);
}
