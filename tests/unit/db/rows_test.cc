#include "db/rows.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "db/connection.h"
#include "support/temp_dir.h"

using namespace mcptoken;
using db::Connection;
using db::Transaction;
using testing::TempDir;

namespace {

constexpr db::Sql kInsert = "INSERT OR FAIL INTO t (id, name, data, size) SELECT c1, c2, c3, c4 FROM rows(?1)";

struct One {
  int64_t id = 0;
  std::string name;
  std::array<uint8_t, 3> data{};
  std::optional<int64_t> size;
};

class Ones final : public db::Rows {
 public:
  explicit Ones(std::vector<One> all) : all_(std::move(all)) {}
  bool next(db::Row& row) noexcept override {
    if (at_ == all_.size()) return false;
    const One& one = all_[at_++];
    row.set(one.id, one.name, one.data, one.size);
    return true;
  }

 private:
  std::vector<One> all_;
  size_t at_ = 0;
};

struct Table {
  Table() : connection(std::move(*Connection::open(db::OpenOptions(dir.file("x.db"))))) {
    REQUIRE(write([](Transaction& transaction) {
      return transaction.connection().script(
          "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL, data BLOB NOT NULL, size INTEGER CHECK (size < "
          "10)) STRICT");
    }));
  }
  template <class Work>
  Result<void> write(Work work) {
    MCPT_TRY(auto transaction, Transaction::begin(*connection));
    MCPT_CHECK(work(transaction));
    return transaction.commit();
  }
  Result<void> insert(std::vector<One> all) {
    Ones rows(std::move(all));
    return write([&](Transaction& transaction) { return transaction.run(kInsert, &rows); });
  }
  std::string first_names() {
    auto rows = connection->prepare("SELECT group_concat(name, '|') FROM (SELECT name FROM t ORDER BY id)");
    REQUIRE(rows->step());
    return rows->text(0);
  }

  TempDir dir;
  std::unique_ptr<Connection> connection;
};

}  // namespace

TEST_CASE_FIXTURE(Table, "rows: values arrive as they are, each time anew") {
  REQUIRE(insert({}));
  REQUIRE(insert({{1, std::string("a\0b", 3), {0, 255, 1}, {}}, {2, "", {}, INT64_MIN}, {3, "c", {}, {}}}));
  auto rows = connection->prepare("SELECT id, name, data, size FROM t ORDER BY id");
  REQUIRE(*rows->step());
  CHECK(rows->text(1) == std::string("a\0b", 3));
  CHECK(*rows->bytes<3>(2) == std::array<uint8_t, 3>{0, 255, 1});
  CHECK(rows->is_null(3));
  REQUIRE(*rows->step());
  CHECK(rows->text(1).empty());
  CHECK(rows->integer(3) == INT64_MIN);
  REQUIRE(*rows->step());
  CHECK(rows->is_null(3));  // what the row before had is gone
  REQUIRE(!*rows->step());
  std::vector<One> many(1000);
  for (auto& one : many)
    one.id = 10 + (&one - many.data());
  REQUIRE(insert(std::move(many)));
  CHECK(connection->changes() == 1000);
  CHECK(connection->last_insert_id() == 1009);
}

TEST_CASE_FIXTURE(Table, "rows: one that is refused takes the transaction with it") {
  REQUIRE(insert({{1, "a", {}, {}}}));
  CHECK(insert({{2, "b", {}, {}}, {3, "c", {}, 10}}).error().status == Status::invalid);
  CHECK(insert({{2, "b", {}, {}}, {1, "c", {}, {}}}).error().status == Status::exists);
  CHECK(first_names() == "a");
  REQUIRE(insert({{2, "b", {}, {}}}));
  CHECK(first_names() == "a|b");
}

TEST_CASE_FIXTURE(Table, "rows: there are none without a pointer to them, and none for a schema") {
  CHECK(connection->prepare("SELECT c1 FROM rows").error().status == Status::internal);
  auto forged = connection->prepare("SELECT c1 FROM rows(?1)");
  REQUIRE(forged);
  CHECK(forged->bind(int64_t{1}).step().error().status == Status::misuse);
  CHECK(forged->bind("rows").step().error().status == Status::misuse);
  REQUIRE(write([](Transaction& transaction) {
    return transaction.connection().script("CREATE VIEW v AS SELECT c1 FROM rows(1)");
  }));
  CHECK(!connection->prepare("SELECT c1 FROM v"));
}
