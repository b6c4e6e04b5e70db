#include "db/migrate.h"

#include <doctest/doctest.h>

#include "support/temp_dir.h"

using namespace mcptoken;
using db::Connection;
using db::Migration;
using db::Schema;
using testing::TempDir;

namespace {

constexpr Migration kFirst[] = {{1, "CREATE TABLE a (id INTEGER PRIMARY KEY) STRICT"}};
constexpr Migration kBoth[] = {{1, "CREATE TABLE a (id INTEGER PRIMARY KEY) STRICT"},
                               {2, "ALTER TABLE a ADD COLUMN note TEXT; INSERT INTO a VALUES (1, 'moved')"}};
constexpr Migration kBroken[] = {{1, "CREATE TABLE a (id INTEGER PRIMARY KEY) STRICT"},
                                 {2, "CREATE TABLE half (x INTEGER) STRICT; INSERT INTO nowhere VALUES (1)"}};
constexpr Migration kDangling[] = {{1,
                                    "PRAGMA defer_foreign_keys=ON; CREATE TABLE p (id INTEGER PRIMARY KEY) STRICT;"
                                    "CREATE TABLE c (p INTEGER REFERENCES p(id)) STRICT; INSERT INTO c VALUES (9)"}};
constexpr Migration kMisnumbered[] = {{2, "SELECT 1"}};

Result<void> migrate(Connection& connection, std::initializer_list<Schema> schemas) {
  return db::migrate(connection, std::span(schemas.begin(), schemas.size()));
}

std::unique_ptr<Connection> open_in(const TempDir& dir) {
  auto opened = Connection::open(db::OpenOptions(dir.file("x.db")));
  REQUIRE(opened);
  return std::move(*opened);
}

bool has_table(Connection& connection, std::string_view name) {
  auto find = connection.prepare("SELECT 1 FROM sqlite_schema WHERE name = ?1");
  return *find->bind(name).step();
}

}  // namespace

TEST_CASE("migrations are applied once, in order, and data stays") {
  TempDir dir;
  auto connection = open_in(dir);
  CHECK(*db::schema_version(*connection, "one") == 0);
  REQUIRE(migrate(*connection, {{"one", kFirst}}));
  CHECK(*db::schema_version(*connection, "one") == 1);
  connection = open_in(dir);
  REQUIRE(migrate(*connection, {{"one", kBoth}}));
  REQUIRE(migrate(*connection, {{"one", kBoth}}));
  CHECK(*db::schema_version(*connection, "one") == 2);
  auto rows = connection->prepare("SELECT note FROM a");
  REQUIRE(*rows->step());
  CHECK(rows->text(0) == "moved");
}

TEST_CASE("a newer or unknown schema is refused before anything changes") {
  TempDir dir;
  auto connection = open_in(dir);
  REQUIRE(migrate(*connection, {{"one", kBoth}}));
  constexpr Migration other[] = {{1, "CREATE TABLE other (x INTEGER) STRICT"}};
  auto newer = migrate(*connection, {{"other", other}, {"one", kFirst}});
  REQUIRE(!newer);
  CHECK(newer.error().status == Status::not_supported);
  CHECK(newer.error().message == "the database has \"one\" schema 2, this build knows up to 1");
  auto unknown = migrate(*connection, {{"other", other}});
  REQUIRE(!unknown);
  CHECK(unknown.error().status == Status::not_supported);
  CHECK(!has_table(*connection, "other"));
  CHECK(migrate(*connection, {{"other", other}, {"one", kBoth}}));
  CHECK(has_table(*connection, "other"));
}

TEST_CASE("a migration that fails leaves nothing of itself") {
  TempDir dir;
  auto connection = open_in(dir);
  auto failed = migrate(*connection, {{"one", kBroken}});
  REQUIRE(!failed);
  CHECK(failed.error().message.starts_with("one migration 2: "));
  CHECK(!has_table(*connection, "half"));
  CHECK(has_table(*connection, "a"));
  CHECK(*db::schema_version(*connection, "one") == 1);
  CHECK(!migrate(*connection, {{"dangling", kDangling}, {"one", kBroken}}));
  CHECK(!has_table(*connection, "c"));
}

TEST_CASE("numbers have no holes") {
  TempDir dir;
  auto connection = open_in(dir);
  auto wrong = migrate(*connection, {{"one", kMisnumbered}});
  REQUIRE(!wrong);
  CHECK(wrong.error().status == Status::misuse);
}
