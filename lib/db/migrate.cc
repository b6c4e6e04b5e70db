#include "db/migrate.h"

#include <algorithm>
#include <string>

namespace mcptoken::db {
namespace {

Result<void> check_numbers(const Schema& schema) {
  int expected = 1;
  for (const Migration& one : schema.migrations) {
    if (one.number != expected++) return fail(Status::misuse, "migrations of a schema must be numbered 1, 2, 3, …");
  }
  return {};
}

Result<bool> has_versions(Connection& connection) {
  MCPT_TRY(auto find,
           connection.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_versions'"));
  return find.step();
}

// Everything is compared before anything is changed.
Result<void> refuse_newer(Connection& connection, std::span<const Schema> schemas) {
  MCPT_TRY(auto rows, connection.prepare("SELECT name, version FROM schema_versions"));
  for (;;) {
    MCPT_TRY(bool row, rows.step());
    if (!row) return {};
    const std::string name = rows.text(0);
    const int64_t version = rows.integer(1);
    auto known = std::find_if(schemas.begin(), schemas.end(), [&](const Schema& one) { return one.name == name; });
    if (known == schemas.end()) {
      return fail(
          Error(Status::not_supported, "the database holds \"" + name + "\" tables that this build does not know")
              .with_hint("use the build that wrote it, or a newer one"));
    }
    if (version < 0) return fail(Status::corrupt, "the database has a schema number below zero");
    const auto newest = static_cast<int64_t>(known->migrations.size());
    if (version > newest) {
      return fail(Error(Status::not_supported, "the database has \"" + name + "\" schema " + std::to_string(version) +
                                                   ", this build knows up to " + std::to_string(newest))
                      .with_hint("use the build that wrote it, or a newer one"));
    }
  }
}

Result<void> apply(Connection& connection, std::string_view name, const Migration& migration) {
  MCPT_TRY(auto transaction, Transaction::begin(connection));
  MCPT_CHECK(connection.script(migration.script));
  MCPT_CHECK(
      transaction.run("INSERT INTO schema_versions (name, version) VALUES (?1, ?2)"
                      " ON CONFLICT (name) DO UPDATE SET version = excluded.version",
                      name, migration.number));
  {
    MCPT_TRY(auto broken, transaction.prepare("SELECT 1 FROM pragma_foreign_key_check"));
    MCPT_TRY(bool found, broken.step());
    if (found) return fail(Status::conflict, "a migration leaves a broken reference");
  }
  return transaction.commit();
}

}  // namespace

Result<int> schema_version(Connection& connection, std::string_view name) {
  MCPT_TRY(bool there, has_versions(connection));
  if (!there) return 0;
  MCPT_TRY(auto find, connection.prepare("SELECT version FROM schema_versions WHERE name = ?1"));
  MCPT_TRY(bool row, find.bind(name).step());
  return row ? static_cast<int>(find.integer(0)) : 0;
}

Result<void> migrate(Connection& connection, std::span<const Schema> schemas) {
  for (const Schema& schema : schemas)
    MCPT_CHECK(check_numbers(schema));
  MCPT_TRY(bool there, has_versions(connection));
  if (there) {
    MCPT_CHECK(refuse_newer(connection, schemas));
  } else {
    MCPT_TRY(auto transaction, Transaction::begin(connection));
    MCPT_CHECK(
        connection.script("CREATE TABLE schema_versions (name TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT"));
    MCPT_CHECK(transaction.commit());
  }
  for (const Schema& schema : schemas) {
    MCPT_TRY(int version, schema_version(connection, schema.name));
    for (const Migration& one : schema.migrations.subspan(static_cast<size_t>(version))) {
      auto done = apply(connection, schema.name, one);
      if (!done) {
        return fail(std::move(done).error().in(std::string(schema.name) + " migration " + std::to_string(one.number)));
      }
    }
  }
  return {};
}

}  // namespace mcptoken::db
