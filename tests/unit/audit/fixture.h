// A database with the tables of lib/audit.
#pragma once

#include <doctest/doctest.h>

#include <memory>

#include "audit/query.h"
#include "audit/ring.h"
#include "support/temp_dir.h"

namespace mcptoken::testing {

class FakeClock final : public Clock {
 public:
  int64_t wall_ms() const override { return now_ms; }
  int64_t mono_ms() const override { return now_ms; }
  int64_t now_ms = 1'000'000;
};

struct AuditFixture {
  AuditFixture() {
    auto opened = db::Connection::open(db::OpenOptions(dir.file("audit.db")));
    REQUIRE(opened);
    connection = std::move(*opened);
    const db::Schema schemas[] = {audit::schema()};
    REQUIRE(db::migrate(*connection, schemas));
  }
  template <class F>
  void write(F work) {
    auto transaction = db::Transaction::begin(*connection);
    REQUIRE(transaction);
    work(*transaction);
    REQUIRE(transaction->commit());
  }
  audit::Page query(const audit::Filter& filter) {
    audit::Page page;
    write([&](db::Transaction& transaction) {
      auto found = audit::query(transaction, filter);
      REQUIRE(found);
      page = std::move(*found);
    });
    return page;
  }
  // The `subject`s of what is found, newest first.
  std::string subjects(const audit::Filter& filter) {
    std::string out;
    for (const audit::Event& event : query(filter).events)
      out += event.subject;
    return out;
  }

  TempDir dir;
  FakeClock clock;
  std::unique_ptr<db::Connection> connection;
};

}  // namespace mcptoken::testing
