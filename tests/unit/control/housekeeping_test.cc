#include "control/housekeeping.h"

#include "audit/reports.h"
#include "base/limits.h"
#include "base/time_text.h"
#include "unit/control/world.h"

using namespace mcptoken;
using namespace mcptoken::control;
using namespace mcptoken::control::testing;

namespace {

constexpr int64_t kHour = 3600'000, kDay = 24 * kHour;

struct Kept : World {
  explicit Kept(std::optional<int64_t> retention_ms = 90 * kDay) {
    Settings settings;
    settings.audit_retention_ms = retention_ms;
    configure(std::move(settings));
    housekeeping.emplace(*control);
  }
  using World::events;
  void events(int count) {
    write([&](store::Tx& tx) -> Result<void> {
      for (int i = 0; i < count; ++i) {
        audit::Event event;
        event.time_ms = clock.now;
        event.project = "p";
        event.session = "s";
        MCPT_CHECK(audit::append(tx.db(), event));
      }
      return audit::seal(tx.db(), control->keys().audit());
    });
  }
  // One transaction, as the store's background does it. Whether there is more.
  bool step() {
    bool more = false;
    write([&](store::Tx& tx) -> Result<void> {
      MCPT_TRY(more, housekeeping->step(tx));
      return audit::seal(tx.db(), control->keys().audit());
    });
    housekeeping->finished(true);
    return more;
  }
  int round() {
    int steps = 1;
    while (step())
      ++steps;
    return steps;
  }
  int64_t recorded() {
    int64_t out = 0;
    read([&](store::Tx& tx) -> Result<void> {
      MCPT_TRY(auto rows, tx.db().prepare("SELECT count(*) FROM audit WHERE kind = 3"));
      MCPT_CHECK(rows.step());
      out = rows.integer(0);
      return {};
    });
    return out;
  }
  bool intact() {
    audit::Verification state;
    read([&](store::Tx& tx) -> Result<void> {
      while (!state.done)
        MCPT_CHECK(audit::verify(tx.db(), control->keys().audit(), std::nullopt, 5'000, state));
      return {};
    });
    return state.intact;
  }

  std::optional<Housekeeping> housekeeping;
};

}  // namespace

TEST_CASE("housekeeping: events past their retention go, in pieces, and one event tells of it") {
  Kept world;
  world.events(1'100);
  const int64_t old = world.clock.now;
  world.clock.now += kDay;
  world.events(10);
  CHECK(world.round() == 4);  // nothing is due
  CHECK(world.recorded() == 1'110);
  world.clock.now = old + 90 * kDay;
  CHECK(world.round() == 4);  // not older than that yet
  world.clock.now += kHour;
  CHECK(world.round() == 3 + 3);  // 500, 500, 100
  CHECK(world.recorded() == 10);
  CHECK(world.intact());
  const auto told = world.events(audit::Kind::audit_purged);
  REQUIRE(told.size() == 1);
  CHECK(told[0].user == "system");
  CHECK(told[0].payload == R"({"before":")" + to_iso8601(old + kHour) + "\"}");
  CHECK(world.round() == 1);  // the next round is an hour away
}

TEST_CASE("housekeeping: retention may be never") {
  Kept world(std::nullopt);
  world.events(10);
  world.clock.now += 3650 * kDay;
  world.round();
  CHECK(world.recorded() == 10);
}

TEST_CASE("housekeeping: rounds are an hour apart, and a clock that is set back stops none") {
  Kept world;
  world.round();
  world.clock.now += kHour - 1;
  CHECK(world.round() == 1);
  world.clock.now += 1;
  CHECK(world.round() == 4);
  world.clock.now -= 5 * kDay;
  CHECK(world.round() == 4);
}

TEST_CASE("housekeeping: a transaction that fails is not tried again at once, and loses nothing") {
  Kept world;
  world.events(10);
  world.clock.now += 91 * kDay;
  for (int i = 0; i < 3; ++i)
    CHECK(world.step());
  auto failed = world.store->run_and_wait(World::system(), [&](store::Tx& tx) -> Result<void> {
    CHECK(world.housekeeping->step(tx));
    return fail(Status::limit, "the disk is full");
  });
  CHECK_FALSE(failed);
  world.housekeeping->finished(false);
  CHECK(world.recorded() == 10);
  CHECK(world.round() == 1);
  world.clock.now += kHour;
  world.round();
  CHECK(world.recorded() == 0);
  CHECK(world.events(audit::Kind::audit_purged).size() == 1);
}

TEST_CASE("housekeeping: a record that is not intact stays, everything else goes on") {
  Kept world;
  world.events(10);
  world.write([](store::Tx& tx) { return tx.db().run("UPDATE audit SET user = 'x' WHERE seq = 4"); });
  world.clock.now += 91 * kDay;
  CHECK(world.round() == 4);
  CHECK(world.recorded() == 10);
  CHECK(world.events(audit::Kind::audit_purged).empty());
}

TEST_CASE("housekeeping: tombstones, ended login sessions and quiet streams go") {
  Kept world;
  const auto root = world.admin();
  world.expect(201, root, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none"})");
  const auto mint = [&](const std::string& name) {
    return world.expect(201, root, "POST", "/api/v1/mcptokens", R"({"name":")" + name + R"(","project":"p","rbacMode":"empty"})")
        .text("id");
  };
  const auto ended = mint("ended"), living = mint("living");
  world.expect(200, root, "DELETE", "/api/v1/mcptokens/" + ended);
  world.write([&](store::Tx& tx) -> Result<void> {
    MCPT_CHECK(tx.insert_session(root.user_id, crypto::sha256("idle"), "c"));
    audit::Event by;
    by.token_sha = crypto::sha256("t");
    by.time_ms = tx.now_ms();
    audit::Batch batch;
    batch.stream = "s";
    return audit::take(tx.db(), by, batch).map([](auto) {});
  });
  const auto left = [&] {
    std::string out;
    world.read([&](store::Tx& tx) -> Result<void> {
      MCPT_TRY(const auto tokens, tx.list_tokens());
      for (const auto& token : tokens)
        out += token.name + " ";
      if (tx.find_session(crypto::sha256("idle"))) out += "session ";
      MCPT_TRY(auto rows, tx.db().prepare("SELECT count(*) FROM audit_streams"));
      MCPT_CHECK(rows.step());
      out += std::to_string(rows.integer(0));
      return {};
    });
    return out;
  };
  world.clock.now += store::kLoginIdleMs;
  world.round();
  CHECK(left() == "ended living session 1");
  world.clock.now += kHour;
  world.round();
  CHECK(left() == "ended living 1");
  world.clock.now += kDay;
  world.round();
  CHECK(left() == "ended living 0");
  world.clock.now += limits::kTombstoneMs;
  world.round();
  CHECK(left() == "living 0");
  world.expect(404, root, "GET", "/api/v1/mcptokens/" + ended);
  world.expect(200, root, "GET", "/api/v1/mcptokens/" + living);
}
