#include "db/rows.h"

#include <sqlite3.h>

#include <new>

#include "db/module.h"

namespace mcptoken::db {

// A table that SQLite calls for its rows. It calls on the connection's thread, while the statement is stepped.
struct RowCursor : sqlite3_vtab_cursor {
  Rows* rows = nullptr;
  int64_t number = 0;
  bool more = false;
  Row row;

  int advance() {
    more = rows->next(row);
    ++number;
    return SQLITE_OK;
  }
  void give(sqlite3_context* out, int column) const {
    const Row::Value& value = row.values_[static_cast<size_t>(column)];
    const auto size = static_cast<uint64_t>(value.number);
    switch (value.type) {
      case Row::Type::null:
        return sqlite3_result_null(out);
      case Row::Type::integer:
        return sqlite3_result_int64(out, value.number);
      case Row::Type::text:
        return sqlite3_result_text64(out, static_cast<const char*>(value.data), size, SQLITE_STATIC, SQLITE_UTF8);
      case Row::Type::blob:
        return sqlite3_result_blob64(out, value.data, size, SQLITE_STATIC);
    }
  }
};

namespace {

constexpr int kSource = Row::kColumns;  // the hidden column behind the others: the parameter
constexpr const char* kTable =
    "CREATE TABLE rows (c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15, c16, c17, c18, c19, c20,"
    " source HIDDEN)";

RowCursor& cursor_of(sqlite3_vtab_cursor* cursor) { return *static_cast<RowCursor*>(cursor); }

int connect(sqlite3* connection, void*, int, const char* const*, sqlite3_vtab** out, char**) {
  if (const int code = sqlite3_declare_vtab(connection, kTable); code != SQLITE_OK) return code;
  sqlite3_vtab_config(connection, SQLITE_VTAB_DIRECTONLY);  // never from a schema
  *out = new (std::nothrow) sqlite3_vtab();
  return *out ? SQLITE_OK : SQLITE_NOMEM;
}

int disconnect(sqlite3_vtab* table) {
  delete table;
  return SQLITE_OK;
}

int best_index(sqlite3_vtab*, sqlite3_index_info* info) {
  for (int i = 0; i < info->nConstraint; ++i) {
    const auto& one = info->aConstraint[i];
    if (one.iColumn != kSource || one.op != SQLITE_INDEX_CONSTRAINT_EQ || !one.usable) continue;
    info->aConstraintUsage[i] = {.argvIndex = 1, .omit = 1};
    return SQLITE_OK;
  }
  return SQLITE_CONSTRAINT;
}

int open(sqlite3_vtab*, sqlite3_vtab_cursor** out) {
  *out = new (std::nothrow) RowCursor();
  return *out ? SQLITE_OK : SQLITE_NOMEM;
}

int close(sqlite3_vtab_cursor* cursor) {
  delete &cursor_of(cursor);
  return SQLITE_OK;
}

int filter(sqlite3_vtab_cursor* cursor, int, const char*, int, sqlite3_value** values) {
  RowCursor& at = cursor_of(cursor);
  at.rows = static_cast<Rows*>(sqlite3_value_pointer(values[0], kRowsPointer));
  at.number = 0;
  return at.rows ? at.advance() : SQLITE_MISUSE;
}

int next(sqlite3_vtab_cursor* cursor) { return cursor_of(cursor).advance(); }
int at_end(sqlite3_vtab_cursor* cursor) { return !cursor_of(cursor).more; }

int column(sqlite3_vtab_cursor* cursor, sqlite3_context* out, int column) {
  if (column < Row::kColumns) cursor_of(cursor).give(out, column);
  return SQLITE_OK;
}

int number(sqlite3_vtab_cursor* cursor, sqlite3_int64* out) {
  *out = cursor_of(cursor).number;
  return SQLITE_OK;
}

constexpr sqlite3_module kModule = [] {
  sqlite3_module out{};
  out.xConnect = connect;  // without xCreate it is there by its name alone
  out.xBestIndex = best_index;
  out.xDisconnect = disconnect;
  out.xOpen = open;
  out.xClose = close;
  out.xFilter = filter;
  out.xNext = next;
  out.xEof = at_end;
  out.xColumn = column;
  out.xRowid = number;
  return out;
}();

}  // namespace

int add_rows_table(sqlite3* connection) {
  return sqlite3_create_module_v2(connection, "rows", &kModule, nullptr, nullptr);
}

}  // namespace mcptoken::db
