// Numbered, transactional schema changes. Folders that own tables each bring a Schema; all live in one database.
#pragma once

#include <span>
#include <string_view>

#include "base/result.h"
#include "db/connection.h"

namespace mcptoken::db {

struct Migration {
  int number;  // 1, 2, 3, …: a published one is never changed
  Sql script;
};

struct Schema {
  std::string_view name;  // "store", "audit"
  std::span<const Migration> migrations;
};

// Brings every schema up to its last migration, each migration in a transaction of its own. Nothing is touched, and the
// answer is Status::not_supported, when the database holds a schema that is newer than, or unknown to, this build.
Result<void> migrate(Connection& connection, std::span<const Schema> schemas);

// The number a schema is at; 0 when it is not there.
Result<int> schema_version(Connection& connection, std::string_view name);

}  // namespace mcptoken::db
