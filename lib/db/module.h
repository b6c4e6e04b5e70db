// What connection.cc and rows.cc share.
#pragma once

struct sqlite3;

namespace mcptoken::db {

inline constexpr const char* kRowsPointer = "mcptoken rows";  // compared by SQLite: nothing else becomes a Rows*

int add_rows_table(sqlite3* connection);

}  // namespace mcptoken::db
