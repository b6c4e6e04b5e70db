#include "audit/ring.h"

#include <atomic>
#include <new>
#include <thread>

#include "audit/tidy.h"
#include "fixture.h"

namespace {
thread_local bool g_no_memory = false;  // for arrays
}

void* operator new[](size_t size) {
  if (g_no_memory) throw std::bad_alloc();
  return ::operator new(size);
}
void operator delete[](void* memory) noexcept { ::operator delete(memory); }
void operator delete[](void* memory, size_t) noexcept { ::operator delete(memory); }

using namespace mcptoken;
using namespace mcptoken::audit;
using testing::AuditFixture;

namespace {

Event numbered(int number, Outcome outcome = Outcome::ok) {
  Event event;
  event.subject = std::to_string(number);
  event.outcome = outcome;
  event.session = "a session id that is too long for a short string";
  return event;
}

struct RecorderFixture : AuditFixture {
  // One turn of the writer, as lib/store does it. Answers whether more is waiting.
  bool turn() {
    auto transaction = db::Transaction::begin(*connection, db::Transaction::Mode::write, db::Sync::normal);
    REQUIRE(transaction);
    auto more = recorder.write(*transaction);
    REQUIRE(more);
    REQUIRE(transaction->commit());
    recorder.finished(true);
    return *more;
  }
  int64_t count(Kind kind) {
    Filter filter;
    filter.kind = kind;
    filter.limit = 1'000'000;
    filter.scan = 1'000'000;
    return static_cast<int64_t>(query(filter).events.size());
  }
  std::vector<std::string> gaps() {
    Filter filter;
    filter.kind = Kind::events_lost;
    std::vector<std::string> out;
    for (const Event& event : query(filter).events)
      out.push_back(event.payload);
    return out;
  }

  std::atomic<int> wakes{0};  // on the threads of all loops
  Recorder recorder{clock, [this] { ++wakes; }};
};

}  // namespace

// Rings live on the heap, as in the product: the address sanitizer's own stack frames do not hold them at their
// alignment.
TEST_CASE("a ring gives back what it took, in order, over its end") {
  const auto owner = std::make_unique<Ring>(4, 4, [] {});
  Ring& ring = *owner;
  std::vector<PackedEvent> out;
  int next = 0, seen = 0;
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 3; ++i)
      CHECK(ring.push(numbered(next++)));
    CHECK(!ring.empty());
    CHECK(ring.drain(out, 100) == 3);
    CHECK(ring.empty());
  }
  for (const PackedEvent& event : out)
    CHECK(event.view().subject == std::to_string(seen++));
  CHECK(ring.lost() == 0);
}

TEST_CASE("a full ring counts what it cannot take") {
  const auto owner = std::make_unique<Ring>(4, 2, [] {});
  Ring& ring = *owner;
  for (int i = 0; i < 4; ++i)
    CHECK(ring.push(numbered(i)));
  for (int i = 0; i < 3; ++i)
    CHECK(!ring.push(numbered(i)));
  CHECK(ring.lost() == 3);
  CHECK(ring.push(numbered(100, Outcome::denied)));
  CHECK(ring.push(numbered(101, Outcome::denied)));
  CHECK(!ring.push(numbered(102, Outcome::denied)));
  CHECK(ring.lost() == 4);
  CHECK(ring.lost_denials() == 1);
  std::vector<PackedEvent> out;
  CHECK(ring.drain(out, 5) == 5);
  CHECK(!ring.empty());
  CHECK(ring.drain(out, 5) == 1);
  CHECK(ring.empty());
  CHECK(out[4].view().subject == "100");
  CHECK(out[5].view().subject == "101");
  CHECK(ring.push(numbered(5)));
}

TEST_CASE("what finds no memory is counted as what it is") {
  const auto owner = std::make_unique<Ring>(4, 2, [] {});
  Ring& ring = *owner;
  for (const auto outcome : {Outcome::ok, Outcome::denied, Outcome::denied}) {
    Event large = numbered(0, outcome);
    large.payload.assign(1000, 'x');
    g_no_memory = true;
    const bool kept = ring.push(std::move(large));
    g_no_memory = false;
    CHECK(!kept);
  }
  CHECK(ring.push(numbered(1)));
  CHECK(ring.lost() == 3);
  CHECK(ring.lost_denials() == 2);
}

TEST_CASE("a place that is kept is nobody else's") {
  const auto owner = std::make_unique<Ring>(4, 2, [] {});
  Ring& ring = *owner;
  CHECK(ring.push(numbered(0)));
  CHECK(ring.reserve());
  CHECK(ring.reserve());
  CHECK(ring.push(numbered(1)));
  CHECK(!ring.push(numbered(2)));
  CHECK(!ring.reserve());
  ring.push_reserved(numbered(3));
  ring.release();
  CHECK(ring.push(numbered(4)));
  CHECK(!ring.reserve());
  std::vector<PackedEvent> out;
  CHECK(ring.drain(out, 10) == 4);
  CHECK(out[2].view().subject == "3");
  CHECK(out[3].view().subject == "4");
  CHECK(ring.lost() == 1);
  for (int i = 0; i < 4; ++i)
    CHECK(ring.reserve());
  CHECK(!ring.push(numbered(5)));
}

TEST_CASE("producer and consumer need no lock between them") {
  const auto owner = std::make_unique<Ring>(64, 1, [] {});
  Ring& ring = *owner;
  constexpr int kEvents = 50'000;
  std::atomic<bool> finished{false};
  uint64_t refused = 0;
  std::thread producer([&] {
    for (int i = 0; i < kEvents; ++i)
      refused += !ring.push(numbered(i));
    finished = true;
  });
  std::vector<PackedEvent> out;
  uint64_t received = 0;
  int last = -1;
  bool ordered = true;
  for (bool end = false; !end;) {
    end = finished;
    out.clear();
    received += ring.drain(out, 16);
    end = end && ring.empty();
    for (const PackedEvent& event : out) {
      const int number = std::stoi(std::string(event.view().subject));
      ordered = ordered && number > last;
      last = number;
    }
  }
  producer.join();
  CHECK(ordered);
  CHECK(ring.lost() == refused);
  CHECK(received + refused == kEvents);
}

TEST_CASE("an event comes out of the ring as it went in, large or small") {
  Event event;
  event.time_ms = -7;
  event.kind = Kind::gate_decision;
  event.outcome = Outcome::transport_error;
  event.duration_ms = 0;
  event.token_sha = crypto::Digest{1, 2, 3};
  int number = 0;
  for (auto* text : {&event.project, &event.session, &event.user, &event.token_name, &event.client_name, &event.client_version,
                     &event.client_address, &event.server, &event.subject, &event.rule, &event.request_id, &event.reported_by})
    *text = std::to_string(++number) + '\0' + std::string(30, 'x');
  for (const size_t bytes : {size_t{0}, size_t{1}, kPayloadBytes}) {
    event.payload = std::string(bytes, 'p');
    const auto owner = std::make_unique<Ring>(2, 2, [] {});
    REQUIRE(owner->push(Event(event)));
    std::vector<PackedEvent> out;
    REQUIRE(owner->drain(out, 2) == 1);
    const Event back = event_as<std::string>(out[0].view());
    CHECK(back.time_ms == event.time_ms);
    CHECK(back.kind == event.kind);
    CHECK(back.outcome == event.outcome);
    CHECK(back.duration_ms == event.duration_ms);
    CHECK(back.token_sha == event.token_sha);
    CHECK(!back.argument_digest);
    for (auto text : {&Event::project, &Event::session, &Event::user, &Event::token_name, &Event::client_name, &Event::client_version,
                      &Event::client_address, &Event::server, &Event::subject, &Event::rule, &Event::request_id,
                      &Event::reported_by, &Event::payload})
      CHECK(back.*text == event.*text);
  }
}

TEST_CASE_FIXTURE(RecorderFixture, "events of all rings are written, a batch at a time, none starving") {
  Ring& one = recorder.add_ring();
  Ring& two = recorder.add_ring();
  constexpr int kBatch = limits::kAuditBatch, kEvents = 2 * kBatch + 50;
  for (int i = 0; i < kEvents; ++i)
    REQUIRE(one.push(numbered(i)));
  REQUIRE(two.push(numbered(kEvents)));
  CHECK(wakes.load() == kEvents + 1);
  CHECK(turn());
  CHECK(count(Kind::tool_call_trace) == kBatch);
  CHECK(turn());
  Filter filter;
  filter.subject = std::to_string(kEvents);
  CHECK(query(filter).events.size() == 1);
  CHECK(!turn());
  CHECK(count(Kind::tool_call_trace) == kEvents + 1);
  CHECK(gaps().empty());
  CHECK(!turn());
}

TEST_CASE_FIXTURE(RecorderFixture, "what is lost is declared exactly once, to the last event") {
  Ring& one = recorder.add_ring(8, 2);
  Ring& two = recorder.add_ring(8, 2);
  for (int i = 0; i < 20; ++i)
    one.push(numbered(i));  // 12 lost
  for (int i = 0; i < 11; ++i)
    two.push(numbered(i, Outcome::denied));  // 8 + 2 kept, 1 lost
  CHECK(recorder.lost() == 13);
  CHECK(!turn());
  CHECK(gaps() == std::vector<std::string>{R"({"lost":13,"denials":1})"});
  CHECK(count(Kind::tool_call_trace) == 18);
  CHECK(!turn());
  CHECK(gaps().size() == 1);
  for (int i = 0; i < 9; ++i)
    one.push(numbered(i));
  CHECK(!turn());
  CHECK(gaps().front() == R"({"lost":1,"denials":0})");
}

TEST_CASE_FIXTURE(RecorderFixture, "a transaction that fails loses nothing and declares nothing twice") {
  Ring& ring = recorder.add_ring(8, 2);
  for (int i = 0; i < 10; ++i)
    ring.push(numbered(i));
  for (int attempt = 0; attempt < 3; ++attempt) {
    auto transaction = db::Transaction::begin(*connection);
    REQUIRE(recorder.write(*transaction));
    transaction->rollback();
    recorder.finished(false);
    ring.push(numbered(100 + attempt));  // finds room: the first batch left the ring
  }
  while (turn())
    continue;
  CHECK(count(Kind::tool_call_trace) == 11);
  CHECK(subjects({}).find("100") != std::string::npos);
  CHECK(gaps() == std::vector<std::string>{R"({"lost":2,"denials":0})"});
}

TEST_CASE_FIXTURE(RecorderFixture, "memory that ends while events are made tidy loses none of them") {
  Ring& ring = recorder.add_ring();
  REQUIRE(ring.push(numbered(1)));
  Event large = numbered(2);
  large.subject += '\x01';
  large.payload.assign(1000, 'x');
  REQUIRE(ring.push(std::move(large)));
  REQUIRE(ring.push(numbered(3)));
  auto transaction = db::Transaction::begin(*connection);
  bool failed = false;
  g_no_memory = true;
  try {
    recorder.write(*transaction).value();
  } catch (const std::bad_alloc&) {
    failed = true;
  }
  g_no_memory = false;
  CHECK(failed);
  transaction->rollback();
  recorder.finished(false);
  CHECK(recorder.pending());
  CHECK(!turn());
  CHECK(subjects({}) == "32?1");
  CHECK(gaps().empty());
}

TEST_CASE_FIXTURE(RecorderFixture, "an event that is far too large is kept without its payload, and holds up nothing") {
  Ring& ring = recorder.add_ring();
  REQUIRE(ring.push(numbered(1)));
  Event huge = numbered(2);
  huge.payload.assign(limits::kDatabaseValueBytes + 1, 'x');
  REQUIRE(ring.push(std::move(huge)));
  REQUIRE(ring.push(numbered(3)));
  CHECK(!turn());
  Filter filter;
  filter.kind = Kind::tool_call_trace;
  CHECK(subjects(filter) == "321");
  CHECK(query(filter).events[1].payload ==
        "{\"omittedBytes\":" + std::to_string(limits::kDatabaseValueBytes + 1) + "}");
  CHECK(gaps().empty());
}

TEST_CASE_FIXTURE(RecorderFixture, "a disk that stays full loses only what does not fit into the ring") {
  Ring& ring = recorder.add_ring(16, 4);
  REQUIRE(connection->limit_pages(*connection->pages()));
  auto attempt = [&]() -> Result<bool> {
    MCPT_TRY(auto transaction, db::Transaction::begin(*connection));
    MCPT_TRY(bool more, recorder.write(transaction));
    MCPT_CHECK(transaction.commit());
    return more;
  };
  int pushed = 0, kept = 0;
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 8; ++i, ++pushed) {
      Event event = numbered(pushed);
      event.payload.assign(2000, 'x');
      kept += ring.push(std::move(event));
    }
    auto failed = attempt();
    REQUIRE(!failed);
    CHECK(failed.error().status == Status::limit);
    recorder.finished(false);
  }
  REQUIRE(connection->limit_pages(1'000'000));
  while (turn())
    continue;
  CHECK(count(Kind::tool_call_trace) == kept);
  CHECK(gaps() == std::vector<std::string>{"{\"lost\":" + std::to_string(pushed - kept) + ",\"denials\":0}"});
}

TEST_CASE_FIXTURE(RecorderFixture, "RB-07 every event is recorded or part of a declared loss, under load and failures") {
  constexpr int kLoops = 3, kEvents = 20'000;
  std::vector<std::thread> producers;
  std::atomic<int> running{kLoops};
  for (int i = 0; i < kLoops; ++i) {
    producers.emplace_back([&, ring = &recorder.add_ring(64, 16)] {
      for (int n = 0; n < kEvents; ++n)
        ring->push(numbered(n, n % 7 == 0 ? Outcome::denied : Outcome::ok));
      --running;
    });
  }
  bool more = true;
  for (int round = 0; more || running > 0; ++round) {
    auto transaction = db::Transaction::begin(*connection, db::Transaction::Mode::write, db::Sync::normal);
    REQUIRE(transaction);
    auto wrote = recorder.write(*transaction);
    REQUIRE(wrote);
    const bool fails = round % 5 == 4;
    if (fails)
      transaction->rollback();
    else
      REQUIRE(transaction->commit());
    recorder.finished(!fails);
    more = fails || *wrote || running > 0;
  }
  for (auto& producer : producers)
    producer.join();
  while (turn())  // what came between the last look and the last event
    continue;
  auto rows = connection->prepare(
      "SELECT sum(kind <> 14), sum(kind <> 14 AND outcome = 5),"
      " sum(CASE kind WHEN 14 THEN json_extract(payload, '$.lost') ELSE 0 END),"
      " sum(CASE kind WHEN 14 THEN json_extract(payload, '$.denials') ELSE 0 END), sum(kind = 14) FROM audit");
  REQUIRE(rows);
  auto row = rows->step();
  REQUIRE(row);
  REQUIRE(*row);
  CHECK(rows->integer(0) + rows->integer(2) == int64_t{kLoops} * kEvents);
  CHECK(rows->integer(1) + rows->integer(3) == int64_t{kLoops} * ((kEvents + 6) / 7));
  CHECK(rows->integer(4) > 0);  // it did lose some
  CHECK(rows->integer(2) == static_cast<int64_t>(recorder.lost()));
}
