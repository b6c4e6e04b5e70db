// RB-02: what was acknowledged is there after a power loss, and nothing is half there.
#include <atomic>
#include <random>

#include "db/connection.h"
#include "trail.h"
#include "unit/db/power_disk.h"

using namespace mcptoken;
using namespace mcptoken::store;
using testing::PowerDisk;
using testing::TempDir;

namespace {

constexpr int kCuts = 500;
constexpr uint64_t kChanges = 12;      // in one life
constexpr uint64_t kOperations = 500;  // of the disk; more than those changes and the end make

struct Outcome {
  uint64_t acknowledged = 0, stored = 0;
};

// One life of a store that ends with the power, somewhere between its first write and its orderly end.
Outcome live_and_die(std::mt19937_64& chance) {
  TempDir dir;
  PowerDisk disk;
  const std::string path = dir.file("data");
  Outcome out;
  std::atomic<bool> cut{false};
  {
    auto opened = Store::open(Options(path));
    REQUIRE_MESSAGE(opened, opened.error().message);
    auto& store = **opened;
    REQUIRE(store.run_and_wait(testing::system_principal(), testing::begin_trail));
    disk.cut_after(1 + chance() % kOperations, [&] {
      disk.lose_power(chance);
      cut = true;
    });
    for (uint64_t number = 1; number <= kChanges && !cut; ++number) {
      auto done = store.run_and_wait(testing::system_principal(), [&](Tx& tx) { return testing::change(tx, number); });
      REQUIRE(done);
      if (!cut) out.acknowledged = number;
    }
  }
  if (!cut) disk.lose_power(chance);
  disk.restart();
  out.stored = testing::check_whole(path);
  return out;
}

// The same at the database's own level, where durability can be chosen: lost commits in so many cuts.
int losses(db::Sync sync, bool deaf, int cuts, std::mt19937_64& chance) {
  int lost = 0;
  for (int i = 0; i < cuts; ++i) {
    TempDir dir;
    PowerDisk disk;
    const db::OpenOptions options(dir.file("one.db"));
    {
      auto connection = std::move(*db::Connection::open(options));
      const auto write = [&](auto work) {
        auto transaction = std::move(*db::Transaction::begin(*connection, db::Transaction::Mode::write, sync));
        REQUIRE(work(transaction));
        REQUIRE(transaction.commit());
      };
      write([](auto& tx) { return tx.connection().script("CREATE TABLE t (n INTEGER)"); });
      REQUIRE(connection->checkpoint());
      disk.deaf = deaf;
      for (int n = 0; n < 5; ++n)
        write([&](auto& tx) { return tx.run("INSERT INTO t (n) VALUES (?1)", n); });
      disk.lose_power(chance);
    }
    disk.restart();
    disk.deaf = false;
    auto connection = db::Connection::open(options);
    REQUIRE(connection);
    auto rows = (*connection)->prepare("SELECT count(*) FROM t");
    REQUIRE(rows);
    REQUIRE(*rows->step());
    lost += rows->integer(0) < 5;
  }
  return lost;
}

}  // namespace

TEST_CASE("RB-02 a power loss takes nothing that was acknowledged") {
  const uint64_t seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937_64 chance(seed);
  uint64_t acknowledged = 0, in_time = 0;
  for (int i = 0; i < kCuts; ++i) {
    CAPTURE(i);
    const auto [told, stored] = live_and_die(chance);
    REQUIRE(stored >= told);
    REQUIRE(stored <= told + 1);  // the one whose acknowledgement was under way
    acknowledged += told;
    in_time += stored > told;
  }
  MESSAGE(kCuts << " cuts, " << acknowledged << " acknowledged, " << in_time << " of those cut off were there");
  CHECK(acknowledged > kCuts);
}

TEST_CASE("RB-02 the model can lose: with less syncing, or a disk that does not sync, commits are gone") {
  const uint64_t seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937_64 chance(seed);
  CHECK(losses(db::Sync::full, false, 100, chance) == 0);
  CHECK(losses(db::Sync::normal, false, 100, chance) > 0);
  CHECK(losses(db::Sync::full, true, 100, chance) > 0);
}
