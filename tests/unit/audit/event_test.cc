#include "audit/event.h"

#include "base/bytes.h"
#include "fixture.h"

using namespace mcptoken;
using namespace mcptoken::audit;
using testing::AuditFixture;

namespace {

crypto::Digest digest(uint8_t first) {
  crypto::Digest out{};
  out[0] = first;
  return out;
}

}  // namespace

TEST_CASE("kinds and outcomes have one text each") {
  int kinds = 0, outcomes = 0;
  for (int i = 0; i < 256; ++i) {
    const auto kind = static_cast<Kind>(i);
    if (auto back = kind_of(to_text(kind))) {
      ++kinds;
      CHECK(*back == kind);
    }
    const auto outcome = static_cast<Outcome>(i);
    if (auto back = outcome_of(to_text(outcome))) {
      ++outcomes;
      CHECK(*back == outcome);
    }
  }
  CHECK(kinds == 18);
  CHECK(outcomes == 5);
  CHECK(to_text(Outcome::tool_error) == "tool error");
  CHECK(!kind_of("Login"));
}

TEST_CASE("a principal's event says who") {
  rbac::Principal who;
  who.kind = rbac::PrincipalKind::token;
  who.user_email = "ann@example.org";
  who.token_name = "ci";
  who.token_sha = "ab" + std::string(62, '0');
  who.project = "home";
  who.client_address = "127.0.0.1";
  Event event = event_by(who, Kind::rbac_decision, Outcome::denied, 5);
  CHECK(event.user == "ann@example.org");
  CHECK(event.token_name == "ci");
  CHECK(event.token_sha == digest(0xab));
  CHECK(event.project == "home");
  CHECK(event.client_address == "127.0.0.1");
  CHECK(event.time_ms == 5);
  rbac::Principal system;
  system.kind = rbac::PrincipalKind::system;
  CHECK(event_by(system, Kind::login, Outcome::ok, 5).user == "system");
  CHECK(!event_by(system, Kind::login, Outcome::ok, 5).token_sha);
}

TEST_CASE_FIXTURE(AuditFixture, "every field comes back as it went in") {
  Event in;
  in.time_ms = 42;
  in.kind = Kind::gate_decision;
  in.outcome = Outcome::transport_error;
  std::string* const texts[] = {&in.project,        &in.session,        &in.user,   &in.token_name, &in.client_name,
                                &in.client_version, &in.client_address, &in.server, &in.subject,    &in.rule,
                                &in.request_id,     &in.reported_by,    &in.payload};
  for (size_t i = 0; i < std::size(texts); ++i)
    *texts[i] = "text " + std::to_string(i);
  in.token_sha = digest(1);
  in.argument_digest = digest(2);
  in.duration_ms = 7;
  Event empty;
  write([&](db::Transaction& transaction) {
    REQUIRE(append(transaction, in));
    REQUIRE(append(transaction, empty));
  });
  CHECK(in.seq == 1);
  CHECK(empty.seq == 2);
  auto page = query({});
  REQUIRE(page.events.size() == 2);
  CHECK(!page.events[0].token_sha);
  CHECK(!page.events[0].duration_ms);
  CHECK(page.events[0].user.empty());
  Event& out = page.events[1];
  CHECK(out.seq == 1);
  CHECK(out.time_ms == 42);
  CHECK(out.kind == in.kind);
  CHECK(out.outcome == in.outcome);
  CHECK(out.token_sha == in.token_sha);
  CHECK(out.argument_digest == in.argument_digest);
  CHECK(out.duration_ms == in.duration_ms);
  std::string* const back[] = {&out.project,        &out.session,        &out.user,   &out.token_name, &out.client_name,
                               &out.client_version, &out.client_address, &out.server, &out.subject,    &out.rule,
                               &out.request_id,     &out.reported_by,    &out.payload};
  for (size_t i = 0; i < std::size(back); ++i)
    CHECK(*back[i] == *texts[i]);
}

TEST_CASE_FIXTURE(AuditFixture, "an event goes with its transaction, and its number is never used again") {
  Event event;
  {
    auto transaction = db::Transaction::begin(*connection);
    REQUIRE(append(*transaction, event));
  }
  CHECK(query({}).events.empty());
  write([&](db::Transaction& transaction) { REQUIRE(append(transaction, event)); });
  write([&](db::Transaction& transaction) { REQUIRE(transaction.run("DELETE FROM audit")); });
  write([&](db::Transaction& transaction) { REQUIRE(append(transaction, event)); });
  CHECK(event.seq == 2);
  auto reading = db::Transaction::begin(*connection, db::Transaction::Mode::read);
  auto refused = append(*reading, event);
  REQUIRE(!refused);
  CHECK(refused.error().status == Status::misuse);
}

TEST_CASE_FIXTURE(AuditFixture, "queries filter, and go on where a page stopped") {
  write([&](db::Transaction& transaction) {
    for (int i = 0; i < 10; ++i) {
      Event event;
      event.time_ms = 100 + i;
      event.subject = std::to_string(i);
      event.project = i % 2 ? "odd" : "even";
      event.kind = i < 5 ? Kind::login : Kind::tool_call_trace;
      event.outcome = i == 3 ? Outcome::denied : Outcome::ok;
      if (i % 3 == 0) event.token_sha = digest(3);
      REQUIRE(append(transaction, event));
    }
  });
  Filter filter;
  CHECK(subjects(filter) == "9876543210");
  filter.project = "odd";
  CHECK(subjects(filter) == "97531");
  filter.kind = Kind::login;
  CHECK(subjects(filter) == "31");
  filter.outcome = Outcome::denied;
  CHECK(subjects(filter) == "3");
  filter = {};
  filter.token_sha = digest(3);
  CHECK(subjects(filter) == "9630");
  filter.from_ms = 103;
  filter.until_ms = 109;
  CHECK(subjects(filter) == "63");
  filter = {};
  filter.subject = "4";
  CHECK(subjects(filter) == "4");

  filter = {};
  filter.project = "even";
  filter.limit = 2;
  filter.scan = 7;
  auto page = query(filter);
  CHECK(page.events.size() == 2);
  CHECK(page.next_before_seq == 7);
  filter.before_seq = page.next_before_seq;
  filter.limit = 100;
  filter.scan = 4;
  CHECK(subjects(filter) == "42");
  page = query(filter);
  CHECK(page.next_before_seq == 3);
  filter.before_seq = 3;
  page = query(filter);
  CHECK(page.events.size() == 1);
  CHECK(!page.next_before_seq);
}

TEST_CASE_FIXTURE(AuditFixture, "a token's events are found by index") {
  auto plan = connection->prepare(
      "EXPLAIN QUERY PLAN SELECT seq FROM audit WHERE seq < ?1 AND token_sha = ?2 ORDER BY seq DESC");
  REQUIRE(plan);
  REQUIRE(*plan->bind(5, digest(1)).step());
  CHECK(plan->text(3).find("USING COVERING INDEX audit_token") != std::string::npos);
  CHECK(!*plan->step());
}

TEST_CASE_FIXTURE(AuditFixture, "sessions are summed up") {
  write([&](db::Transaction& transaction) {
    for (int i = 0; i < 3; ++i) {
      Event event;
      event.session = i < 2 ? "s1" : "s2";
      event.project = "home";
      event.time_ms = 100 - i;
      event.outcome = i == 1 ? Outcome::denied : Outcome::ok;
      event.user = i == 0 ? "ann@example.org" : "";
      REQUIRE(append(transaction, event));
    }
    auto page = sessions(transaction, {});
    REQUIRE(page);
    REQUIRE(page->sessions.size() == 2);
    CHECK_FALSE(page->next);
    const SessionSummary& one = page->sessions[0];
    CHECK(one.session == "s1");
    CHECK(one.user == "ann@example.org");
    CHECK(one.first_ms == 99);
    CHECK(one.last_ms == 100);
    CHECK(one.events == 2);
    CHECK(one.denied == 1);
  });
}

TEST_CASE_FIXTURE(AuditFixture, "a token that names the session of another changes nothing of it") {
  write([&](db::Transaction& transaction) {
    for (const uint8_t token : {uint8_t{1}, uint8_t{2}}) {
      Event event;
      event.session = "s1";
      event.project = "home";
      event.time_ms = 100 * token;
      event.token_sha = digest(token);
      event.token_name = token == 1 ? "mine" : "other";
      event.client_name = event.token_name;
      REQUIRE(append(transaction, event));
    }
    const auto page = sessions(transaction, {});
    REQUIRE(page->sessions.size() == 2);
    const SessionSummary& mine = page->sessions[1];
    CHECK(mine.token_sha == as_text(digest(1)));
    CHECK(mine.token_name == "mine");
    CHECK(mine.client_name == "mine");
    CHECK(mine.last_ms == 100);
    CHECK(mine.events == 1);
  });
}

TEST_CASE_FIXTURE(AuditFixture, "lists of sessions filter before they are cut, and go on where a page stopped") {
  write([&](db::Transaction& transaction) {
    for (int i = 0; i < 12; ++i) {
      Event event;
      event.session = std::string(1, static_cast<char>('a' + i));
      event.project = i % 2 ? "odd" : "even";
      event.time_ms = 100 + i / 4;  // four of a time
      event.user = i < 6 ? "ann" : "bob";
      event.token_name = i % 3 ? "t" : "u";
      REQUIRE(append(transaction, event));
    }
    const auto names = [&](const SessionFilter& filter) {
      const auto page = sessions(transaction, filter);
      REQUIRE(page);
      std::string out;
      for (const auto& one : page->sessions)
        out += one.session;
      return out;
    };
    SessionFilter filter;
    CHECK(names(filter) == "ljkihfgedbca");
    filter.limit = 3;
    std::string all;
    int pages = 0;
    for (;; ++pages) {
      all += names(filter);
      filter.after = sessions(transaction, filter)->next;
      if (!filter.after) break;
    }
    CHECK(all == "ljkihfgedbca");
    CHECK(pages == 3);
    filter = {};
    filter.limit = 3;
    filter.scope = rbac::Scope{false, {"even"}};
    CHECK(names(filter) == "kig");
    filter.after = sessions(transaction, filter)->next;
    CHECK(names(filter) == "eca");
    filter = {};
    filter.project = "odd";
    filter.user = "bob";
    CHECK(names(filter) == "ljh");
    filter = {};
    filter.token_name = "u";
    CHECK(names(filter) == "jgda");
    filter = {};
    filter.from_ms = 101;
    filter.until_ms = 102;
    CHECK(names(filter) == "hfge");
    filter = {};
    filter.project = "none";
    filter.scan = 5;
    CHECK(names(filter).empty());
    CHECK(sessions(transaction, filter)->next);  // it stopped looking, which is not the end
  });
}
