#include "db/connection.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "support/temp_dir.h"

using namespace mcptoken;
using db::Connection;
using db::Transaction;
using testing::TempDir;

namespace {

std::unique_ptr<Connection> open_in(const TempDir& dir) {
  auto opened = Connection::open(db::OpenOptions(dir.file("x.db")));
  REQUIRE(opened);
  return std::move(*opened);
}

void create_tables(Connection& connection) {
  auto transaction = Transaction::begin(connection);
  REQUIRE(transaction);
  REQUIRE(
      connection.script("CREATE TABLE parents (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;"
                        "CREATE TABLE children (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL REFERENCES parents(id),"
                        " size INTEGER CHECK (size < 10), data BLOB, note TEXT) STRICT"));
  REQUIRE(transaction->commit());
}

int64_t count(Connection& connection, db::Sql sql) {
  auto rows = connection.prepare(sql);
  REQUIRE(rows);
  auto row = rows->step();
  REQUIRE(row);
  REQUIRE(*row);
  return rows->integer(0);
}

template <class T>
Status status_of(const Result<T>& result) {
  return result ? Status::ok : result.error().status;
}

}  // namespace

TEST_CASE("values come back as they went in") {
  TempDir dir;
  auto connection = open_in(dir);
  create_tables(*connection);
  auto transaction = Transaction::begin(*connection);
  REQUIRE(transaction);
  REQUIRE(transaction->run("INSERT INTO parents VALUES (?1, ?2)", 7, std::string("a\0b", 3)));
  const std::array<uint8_t, 4> bytes{0, 255, 1, 0};
  REQUIRE(transaction->run("INSERT INTO children VALUES (?1, ?2, ?3, ?4, ?5)", INT64_MAX, 7, std::optional<int64_t>(),
                           bytes, std::string_view()));
  REQUIRE(transaction->commit());

  auto rows = connection->prepare(
      "SELECT c.id, c.size, c.data, c.note, p.name FROM children c JOIN parents p ON p.id = c.parent");
  REQUIRE(rows);
  REQUIRE(*rows->step());
  CHECK(rows->integer(0) == INT64_MAX);
  CHECK(!rows->maybe_integer(1));
  CHECK(*rows->bytes<4>(2) == bytes);
  CHECK(status_of(rows->bytes<3>(2)) == Status::corrupt);
  CHECK(!rows->is_null(3));
  CHECK(rows->text(3).empty());
  CHECK(rows->text(4) == std::string("a\0b", 3));
  CHECK(!*rows->step());
}

TEST_CASE("a statement can be used inside a loop over itself") {
  TempDir dir;
  auto connection = open_in(dir);
  constexpr db::Sql sql = "SELECT 1 UNION SELECT 2 UNION SELECT 3";
  auto outer = connection->prepare(sql);
  int pairs = 0;
  while (*outer->step()) {
    auto inner = connection->prepare(sql);
    REQUIRE(inner);
    while (*inner->step())
      ++pairs;
  }
  CHECK(pairs == 9);
}

TEST_CASE("constraints have statuses of their own") {
  TempDir dir;
  auto connection = open_in(dir);
  create_tables(*connection);
  auto transaction = Transaction::begin(*connection);
  REQUIRE(transaction->run("INSERT INTO parents VALUES (1, ?1)", "a"));
  CHECK(status_of(transaction->run("INSERT INTO parents VALUES (2, ?1)", "a")) == Status::exists);
  CHECK(status_of(transaction->run("INSERT INTO parents VALUES (1, ?1)", "b")) == Status::exists);
  CHECK(status_of(transaction->run("INSERT INTO parents VALUES (3, ?1)", nullptr)) == Status::invalid);
  CHECK(status_of(transaction->run("INSERT INTO children (parent) VALUES (99)")) == Status::conflict);
  CHECK(status_of(transaction->run("INSERT INTO children (parent, size) VALUES (1, 10)")) == Status::invalid);
  REQUIRE(transaction->run("INSERT INTO children (parent) VALUES (1)"));
  CHECK(status_of(transaction->run("DELETE FROM parents")) == Status::conflict);
  CHECK(status_of(transaction->run("SELECT nothing FROM nowhere")) == Status::internal);
  REQUIRE(transaction->commit());
  CHECK(count(*connection, "SELECT count(*) FROM parents") == 1);
}

TEST_CASE("a transaction that is not committed leaves nothing") {
  TempDir dir;
  auto connection = open_in(dir);
  create_tables(*connection);
  {
    auto transaction = Transaction::begin(*connection);
    REQUIRE(transaction->run("INSERT INTO parents VALUES (1, 'a')"));
    CHECK(status_of(Transaction::begin(*connection)) == Status::misuse);
  }
  CHECK(count(*connection, "SELECT count(*) FROM parents") == 0);
  auto transaction = Transaction::begin(*connection);
  REQUIRE(transaction);
  transaction->rollback();
  CHECK(status_of(transaction->commit()) == Status::misuse);
}

TEST_CASE("writes need a write transaction") {
  TempDir dir;
  auto connection = open_in(dir);
  create_tables(*connection);
  CHECK(status_of(connection->run("INSERT INTO parents VALUES (1, 'a')")) == Status::misuse);
  CHECK(status_of(connection->script("CREATE TABLE t (x)")) == Status::misuse);
  auto reading = Transaction::begin(*connection, Transaction::Mode::read);
  REQUIRE(reading);
  CHECK(status_of(reading->run("INSERT INTO parents VALUES (1, 'a')")) == Status::misuse);
  CHECK(status_of(connection->checkpoint()) == Status::misuse);
  REQUIRE(reading->commit());
  CHECK(count(*connection, "SELECT count(*) FROM parents") == 0);
}

TEST_CASE("a connection stays on its thread until it is handed over") {
  TempDir dir;
  auto connection = open_in(dir);
  create_tables(*connection);
  std::thread([&] {
    CHECK(status_of(Transaction::begin(*connection)) == Status::misuse);
    CHECK(status_of(connection->prepare("SELECT 1")) == Status::misuse);
    CHECK(status_of(connection->checkpoint()) == Status::misuse);
    connection->adopt_thread();
    CHECK(Transaction::begin(*connection));
  }).join();
  CHECK(status_of(Transaction::begin(*connection)) == Status::misuse);
  connection->adopt_thread();
  CHECK(Transaction::begin(*connection));
}

TEST_CASE("each transaction has the durability it asked for") {
  TempDir dir;
  auto connection = open_in(dir);
  create_tables(*connection);
  auto level = [&](db::Sync sync) {
    auto transaction = Transaction::begin(*connection, Transaction::Mode::write, sync);
    REQUIRE(transaction);
    return count(*connection, "PRAGMA synchronous");
  };
  CHECK(level(db::Sync::full) == 2);
  CHECK(level(db::Sync::normal) == 1);
  CHECK(level(db::Sync::full) == 2);
}

TEST_CASE("the connection is set up for untrusted files") {
  TempDir dir;
  auto connection = open_in(dir);
  create_tables(*connection);
  CHECK(count(*connection, "PRAGMA foreign_keys") == 1);
  CHECK(count(*connection, "PRAGMA secure_delete") == 1);
  CHECK(count(*connection, "PRAGMA trusted_schema") == 0);
  CHECK(count(*connection, "PRAGMA cell_size_check") == 1);
  auto transaction = Transaction::begin(*connection);
  REQUIRE(transaction->run("PRAGMA writable_schema=ON"));  // ignored in defensive mode
  CHECK(!transaction->run("UPDATE sqlite_schema SET sql = 'CREATE TABLE parents (x)'"));
  transaction->rollback();
  CHECK(!connection->run("ATTACH ?1 AS other", dir.file("other.db")));
}

TEST_CASE("files are for their owner alone") {
  TempDir dir;
  mode_t old = umask(0);
  ::close(::open(dir.file("x.db").c_str(), O_CREAT | O_WRONLY, 0666));
  auto connection = open_in(dir);
  create_tables(*connection);
  CHECK(testing::mode_of(dir.file("x.db")) == 0600);
  CHECK(testing::mode_of(dir.file("x.db-wal")) == 0600);
  CHECK(testing::mode_of(dir.file("x.db-shm")) == 0600);
  auto fresh = Connection::open(db::OpenOptions(dir.file("y.db")));
  umask(old);
  REQUIRE(fresh);
  CHECK(testing::mode_of(dir.file("y.db")) == 0600);
}

TEST_CASE("what is no database is refused") {
  TempDir dir;
  std::ofstream(dir.file("x.db")) << std::string(8192, 'x');
  CHECK(status_of(Connection::open(db::OpenOptions(dir.file("x.db")))) == Status::corrupt);
  CHECK(status_of(Connection::open(db::OpenOptions(dir.file("none/x.db")))) == Status::io);
  CHECK(status_of(Connection::open(db::OpenOptions(dir.path()))) == Status::io);
}

TEST_CASE("damage is found when a log was left behind") {
  TempDir dir;
  const std::string path = dir.file("x.db");
  auto connection = open_in(dir);
  create_tables(*connection);
  {
    auto transaction = Transaction::begin(*connection);
    for (int i = 0; i < 2000; ++i) {
      REQUIRE(transaction->run("INSERT INTO parents VALUES (?1, ?2)", i, "name-" + std::to_string(i)));
    }
    REQUIRE(transaction->commit());
  }
  REQUIRE(connection->checkpoint());
  REQUIRE(connection->prepare("SELECT 1"));
  {
    auto transaction = Transaction::begin(*connection);
    REQUIRE(transaction->run("INSERT INTO parents VALUES (5000, 'last')"));
    REQUIRE(transaction->commit());
  }
  // A copy of the files while they are open is what a crash leaves.
  for (const char* end : {"", "-wal"})
    std::filesystem::copy(path + end, dir.file(std::string("crash.db") + end));
  std::filesystem::copy(dir.file("crash.db"), dir.file("bad.db"));
  std::filesystem::copy(dir.file("crash.db-wal"), dir.file("bad.db-wal"));
  {
    std::fstream damage(dir.file("bad.db"), std::ios::in | std::ios::out | std::ios::binary);
    damage.seekp(4096 * 8);
    damage << std::string(4096, '\x5a');
  }
  CHECK(status_of(Connection::open(db::OpenOptions(dir.file("bad.db")))) == Status::corrupt);
  auto good = Connection::open(db::OpenOptions(dir.file("crash.db")));
  REQUIRE(good);
  CHECK(count(**good, "SELECT count(*) FROM parents") == 2001);
}

TEST_CASE("another writer makes us busy, not wrong") {
  TempDir dir;
  auto one = open_in(dir);
  create_tables(*one);
  db::OpenOptions options(dir.file("x.db"));
  options.busy_timeout_ms = 1;
  auto two = Connection::open(options);
  REQUIRE(two);
  auto first = Transaction::begin(*one);
  REQUIRE(first);
  CHECK(status_of(Transaction::begin(**two)) == Status::busy);
  first->rollback();
  CHECK(Transaction::begin(**two));
}

TEST_CASE("a full disk is an error that undoes the transaction") {
  TempDir dir;
  auto connection = open_in(dir);
  create_tables(*connection);
  REQUIRE(connection->limit_pages(*connection->pages() + 4));
  auto fill = [&]() -> Result<void> {
    MCPT_TRY(auto transaction, Transaction::begin(*connection));
    for (int i = 0; i < 100; ++i) {
      MCPT_CHECK(transaction.run("INSERT INTO parents VALUES (?1, ?2)", i, std::to_string(i) + std::string(1000, 'x')));
    }
    return transaction.commit();
  };
  CHECK(status_of(fill()) == Status::limit);
  CHECK(count(*connection, "SELECT count(*) FROM parents") == 0);
  REQUIRE(connection->limit_pages(1'000'000));
  CHECK(fill());
  CHECK(count(*connection, "SELECT count(*) FROM parents") == 100);
}

TEST_CASE("nothing is committed piece by piece once an error has ended the transaction") {
  TempDir dir;
  auto connection = open_in(dir);
  create_tables(*connection);
  auto transaction = Transaction::begin(*connection);
  REQUIRE(transaction->run("INSERT INTO parents VALUES (1, 'a')"));
  CHECK(status_of(transaction->run("INSERT OR ROLLBACK INTO parents VALUES (2, 'a')")) == Status::exists);
  CHECK(status_of(transaction->run("INSERT INTO parents VALUES (3, 'c')")) == Status::misuse);
  CHECK(!transaction->commit());
  CHECK(count(*connection, "SELECT count(*) FROM parents") == 0);
}
