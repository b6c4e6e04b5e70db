#include "db/connection.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>
#include <unordered_map>

#include "base/limits.h"
#include "db/module.h"

namespace mcptoken::db {

struct Statement::Entry {
  sqlite3_stmt* handle = nullptr;
  bool cached = false;
  bool in_use = false;
  bool started = false;
  int bind_code = SQLITE_OK;
  ~Entry() { sqlite3_finalize(handle); }
};

struct Connection::Impl {
  enum class State : uint8_t { idle, reading, writing };

  sqlite3* handle = nullptr;
  std::thread::id owner = std::this_thread::get_id();
  State state = State::idle;
  Sync sync = Sync::full;
  // By the address of the literal: hashing its text would cost more than a short statement.
  std::unordered_map<const char*, std::unique_ptr<Statement::Entry>> cache;

  ~Impl() {
    cache.clear();
    sqlite3_close_v2(handle);
  }

  Result<void> check_thread() const {
    if (owner == std::this_thread::get_id()) return {};
    return fail(Status::misuse, "database: used on a thread that does not own it");
  }
  Result<void> exec(const char* sql);
  Result<std::string> pragma(const char* sql);  // the first column of its first row
};

namespace {

struct Mapping {
  int code;  // extended or primary
  Status status;
};

constexpr Mapping kMappings[] = {
    {SQLITE_CONSTRAINT_UNIQUE, Status::exists},
    {SQLITE_CONSTRAINT_PRIMARYKEY, Status::exists},
    {SQLITE_CONSTRAINT_ROWID, Status::exists},
    {SQLITE_CONSTRAINT_FOREIGNKEY, Status::conflict},
    {SQLITE_IOERR_NOMEM, Status::no_memory},
    {SQLITE_CONSTRAINT, Status::invalid},
    {SQLITE_BUSY, Status::busy},
    {SQLITE_LOCKED, Status::busy},
    {SQLITE_CORRUPT, Status::corrupt},
    {SQLITE_NOTADB, Status::corrupt},
    {SQLITE_FULL, Status::limit},
    {SQLITE_IOERR, Status::io},
    {SQLITE_CANTOPEN, Status::io},
    {SQLITE_PERM, Status::io},
    {SQLITE_READONLY, Status::io},
    {SQLITE_AUTH, Status::io},
    {SQLITE_NOMEM, Status::no_memory},
    {SQLITE_TOOBIG, Status::too_large},
    {SQLITE_INTERRUPT, Status::cancelled},
    {SQLITE_MISUSE, Status::misuse},
    {SQLITE_RANGE, Status::misuse},
};

Status status_of(int code) {
  for (const Mapping& row : kMappings) {
    if (row.code == code) return row.status;
  }
  for (const Mapping& row : kMappings) {
    if (row.code == (code & 0xff)) return row.status;
  }
  return Status::internal;
}

tl::unexpected<Error> failure(sqlite3* handle, int code) {
  const char* text = handle ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
  const Status status = status_of(code);
  return fail(status == Status::limit ? out_of_space() : Error(status, std::string("database: ") + text));
}

tl::unexpected<Error> system_failure(std::string_view what, const std::string& path) {
  return fail(Status::io, std::string(what) + " " + path + ": " + std::strerror(errno));
}

// Made before the library opens it: its own mode would follow the umask. The log files take over the mode.
Result<void> make_private(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0) {
    ::close(fd);
    return {};
  }
  if (errno != EEXIST) return system_failure("cannot create", path);
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return system_failure("cannot read", path);
  if (!S_ISREG(info.st_mode)) return fail(Status::io, path + " is not a regular file");
  if ((info.st_mode & 0777) != 0600 && ::chmod(path.c_str(), 0600) != 0) return system_failure("cannot chmod", path);
  return {};
}

bool has_log(const std::string& path) {
  struct stat info {};
  return ::stat((path + "-wal").c_str(), &info) == 0 && info.st_size > 0;
}

struct Setting {
  int option;
  int value;
};
constexpr Setting kConfig[] = {
    {SQLITE_DBCONFIG_DEFENSIVE, 1},        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
    {SQLITE_DBCONFIG_ENABLE_FKEY, 1},      {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
    {SQLITE_DBCONFIG_DQS_DML, 0},          {SQLITE_DBCONFIG_DQS_DDL, 0},
    {SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1},  // closing after a failed write must not touch the database file
};
constexpr Setting kLimits[] = {
    {SQLITE_LIMIT_LENGTH, int{limits::kDatabaseValueBytes}},
    {SQLITE_LIMIT_SQL_LENGTH, 64 * 1024},
    {SQLITE_LIMIT_COLUMN, 64},
    {SQLITE_LIMIT_EXPR_DEPTH, 64},
    {SQLITE_LIMIT_COMPOUND_SELECT, 8},
    {SQLITE_LIMIT_FUNCTION_ARG, 8},
    {SQLITE_LIMIT_ATTACHED, 0},
    {SQLITE_LIMIT_VARIABLE_NUMBER, 64},
    {SQLITE_LIMIT_WORKER_THREADS, 0},
};

// Each is set and read back: a library built without the feature must not pass in silence.
struct Pragma {
  const char* set;
  const char* read;
  std::string_view value;
};
constexpr Pragma kPragmas[] = {
    {"PRAGMA mmap_size=0", "PRAGMA mmap_size", "0"},
    {"PRAGMA cell_size_check=ON", "PRAGMA cell_size_check", "1"},
    {"PRAGMA temp_store=MEMORY", "PRAGMA temp_store", "2"},
    {"PRAGMA journal_mode=WAL", "PRAGMA journal_mode", "wal"},
    {"PRAGMA synchronous=FULL", "PRAGMA synchronous", "2"},
    {"PRAGMA secure_delete=ON", "PRAGMA secure_delete", "1"},
    {"PRAGMA foreign_keys=ON", "PRAGMA foreign_keys", "1"},
};

}  // namespace

Result<void> Connection::Impl::exec(const char* sql) {
  int code = sqlite3_exec(handle, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failure(handle, sqlite3_extended_errcode(handle));
  return {};
}

Result<std::string> Connection::Impl::pragma(const char* sql) {
  Statement::Entry entry;
  int code = sqlite3_prepare_v2(handle, sql, -1, &entry.handle, nullptr);
  if (code == SQLITE_OK) code = sqlite3_step(entry.handle);
  if (code == SQLITE_ROW) return std::string(reinterpret_cast<const char*>(sqlite3_column_text(entry.handle, 0)));
  if (code == SQLITE_DONE) return fail(Status::not_supported, std::string("database: no answer to ") + sql);
  return failure(handle, sqlite3_extended_errcode(handle));
}

Error out_of_space() {
  return Error(Status::limit, "database: the disk is full")
      .with_code("storage_full")
      .with_http(507)
      .with_hint("free space on the server's disk");
}

// --- Connection

Connection::Connection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Connection::~Connection() = default;

Result<std::unique_ptr<Connection>> Connection::open(const OpenOptions& options) {
  MCPT_CHECK(make_private(options.path));
  const bool unclean = has_log(options.path);
  auto impl = std::make_unique<Impl>();
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;  // confined to one thread
  int code = sqlite3_open_v2(options.path.c_str(), &impl->handle, flags, nullptr);
  if (code != SQLITE_OK) return fail(failure(impl->handle, code).value().in(options.path));
  sqlite3_busy_timeout(impl->handle, static_cast<int>(options.busy_timeout_ms));
  for (const Setting& row : kConfig) {
    int now = -1;
    code = sqlite3_db_config(impl->handle, row.option, row.value, &now);
    if (code != SQLITE_OK || now != row.value)
      return fail(Status::not_supported, "database: a safety setting is refused");
  }
  if ((code = add_rows_table(impl->handle)) != SQLITE_OK) return failure(impl->handle, code);
  for (const Setting& row : kLimits)
    sqlite3_limit(impl->handle, row.option, row.value);
  for (const Pragma& row : kPragmas) {
    auto done = impl->exec(row.set);
    if (!done) return fail(std::move(done).error().in(options.path));
    MCPT_TRY(std::string value, impl->pragma(row.read));
    if (value != row.value) return fail(Status::not_supported, std::string("database: no effect: ") + row.set);
  }
  if (unclean) {
    auto sound = impl->pragma("PRAGMA quick_check(1)");
    if (!sound) return fail(std::move(sound).error().in(options.path));
    if (*sound != "ok") return fail(Status::corrupt, options.path + ": the database is damaged; restore a backup");
  }
  return std::unique_ptr<Connection>(new Connection(std::move(impl)));
}

Result<Statement> Connection::prepare(Sql sql) {
  MCPT_CHECK(impl_->check_thread());
  auto found = impl_->cache.find(sql.text().data());
  if (found != impl_->cache.end() && !found->second->in_use) {
    found->second->in_use = true;
    return Statement(*this, found->second.get());
  }
  auto entry = std::make_unique<Statement::Entry>();
  entry->cached = found == impl_->cache.end();  // one that is being stepped by an outer loop needs a second statement
  int code = sqlite3_prepare_v3(impl_->handle, sql.text().data(), static_cast<int>(sql.text().size()),
                                entry->cached ? SQLITE_PREPARE_PERSISTENT : 0, &entry->handle, nullptr);
  if (code != SQLITE_OK) return failure(impl_->handle, code);
  entry->in_use = true;
  Statement::Entry* raw = entry.get();
  if (raw->cached) {
    impl_->cache.emplace(sql.text().data(), std::move(entry));
  } else {
    entry.release();  // the Statement deletes it
  }
  return Statement(*this, raw);
}

Result<void> Connection::script(Sql sql) {
  MCPT_CHECK(impl_->check_thread());
  if (impl_->state != Impl::State::writing)
    return fail(Status::misuse, "database: a script outside a write transaction");
  return impl_->exec(sql.text().data());  // a literal: zero-terminated
}

int64_t Connection::changes() const { return sqlite3_changes64(impl_->handle); }
int64_t Connection::last_insert_id() const { return sqlite3_last_insert_rowid(impl_->handle); }
void Connection::adopt_thread() { impl_->owner = std::this_thread::get_id(); }

Result<int64_t> Connection::pages() {
  MCPT_TRY(auto rows, prepare("PRAGMA page_count"));
  MCPT_CHECK(rows.step());
  return rows.integer(0);
}

Result<void> Connection::checkpoint() {
  MCPT_CHECK(impl_->check_thread());
  if (impl_->state != Impl::State::idle) return fail(Status::misuse, "database: a checkpoint inside a transaction");
  int code = sqlite3_wal_checkpoint_v2(impl_->handle, nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  if (code != SQLITE_OK) return failure(impl_->handle, code);
  return {};
}

Result<void> Connection::limit_pages(int64_t pages) {
  MCPT_CHECK(impl_->check_thread());
  MCPT_CHECK(impl_->pragma(("PRAGMA max_page_count=" + std::to_string(pages)).c_str()));
  return {};
}

// --- Statement

Statement::Statement(Statement&& other) noexcept
    : connection_(other.connection_),
      entry_(std::exchange(other.entry_, nullptr)),
      borrows_(other.borrows_) {}

Statement::~Statement() {
  if (!entry_) return;
  if (!entry_->cached) {
    delete entry_;
    return;
  }
  if (entry_->started) reset();
  sqlite3_clear_bindings(entry_->handle);  // also: what was borrowed may go now
  entry_->in_use = false;
}

void Statement::reset() {
  sqlite3_reset(entry_->handle);
  entry_->started = false;
}

void Statement::restart() {
  if (entry_->started) reset();
  entry_->bind_code = SQLITE_OK;
}

void Statement::keep(int code) {
  if (entry_->bind_code == SQLITE_OK) entry_->bind_code = code;
}

void Statement::bind_integer(int index, int64_t value) { keep(sqlite3_bind_int64(entry_->handle, index, value)); }
void Statement::bind_null(int index) { keep(sqlite3_bind_null(entry_->handle, index)); }
void Statement::bind_text(int index, std::string_view value) {
  const char* data = value.data() ? value.data() : "";  // a null pointer would bind NULL
  keep(sqlite3_bind_text64(entry_->handle, index, data, value.size(), borrows_ ? SQLITE_STATIC : SQLITE_TRANSIENT,
                           SQLITE_UTF8));
}
void Statement::bind_blob(int index, Blob value) {
  const void* data = value.data() ? static_cast<const void*>(value.data()) : "";
  keep(sqlite3_bind_blob64(entry_->handle, index, data, value.size(), borrows_ ? SQLITE_STATIC : SQLITE_TRANSIENT));
}

void Statement::bind_rows(int index, Rows* rows) {
  keep(sqlite3_bind_pointer(entry_->handle, index, rows, kRowsPointer, nullptr));
}

Result<bool> Statement::step() {
  Connection::Impl& impl = *connection_->impl_;
  if (!entry_->started) {
    if (entry_->bind_code != SQLITE_OK) return failure(nullptr, entry_->bind_code);
    // An error may have ended the transaction underneath: what follows must not be committed piece by piece.
    const bool may_write = impl.state == Connection::Impl::State::writing && !sqlite3_get_autocommit(impl.handle);
    if (!may_write && !sqlite3_stmt_readonly(entry_->handle)) {
      return fail(Status::misuse, "database: a change outside a write transaction");
    }
    entry_->started = true;
  }
  int code = sqlite3_step(entry_->handle);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    reset();
    return false;
  }
  auto error = failure(impl.handle, code);
  reset();
  return error;
}

Result<void> Statement::run() {
  for (;;) {
    MCPT_TRY(bool row, step());
    if (!row) return {};
  }
}

bool Statement::is_null(int column) const { return sqlite3_column_type(entry_->handle, column) == SQLITE_NULL; }
int64_t Statement::integer(int column) const { return sqlite3_column_int64(entry_->handle, column); }

std::string_view Statement::text_view(int column) const {
  // As a blob: the library ends a text with a zero by copying it, and nobody here asks for one.
  const Blob bytes = blob(column);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Blob Statement::blob(int column) const {
  // One thread has the connection, so that the value may be asked directly: a third of the time that columns take.
  sqlite3_value* value = sqlite3_column_value(entry_->handle, column);
  const void* data = sqlite3_value_blob(value);
  if (!data) return {};
  return {static_cast<const uint8_t*>(data), static_cast<size_t>(sqlite3_value_bytes(value))};
}

std::optional<int64_t> Statement::maybe_integer(int column) const {
  if (is_null(column)) return std::nullopt;
  return integer(column);
}

Result<void> Statement::copy_bytes(int column, std::span<uint8_t> out) const {
  Blob value = blob(column);
  if (value.size() != out.size()) return fail(Status::corrupt, "database: a stored value has the wrong size");
  std::memcpy(out.data(), value.data(), out.size());
  return {};
}

// --- Transaction

Result<Transaction> Transaction::begin(Connection& connection, Mode mode, Sync sync) {
  using State = Connection::Impl::State;
  Connection::Impl& impl = *connection.impl_;
  MCPT_CHECK(impl.check_thread());
  if (impl.state != State::idle) return fail(Status::misuse, "database: a transaction inside a transaction");
  if (mode == Mode::write && impl.sync != sync) {
    MCPT_CHECK(impl.exec(sync == Sync::full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL"));
    impl.sync = sync;
  }
  MCPT_CHECK(impl.exec(mode == Mode::write ? "BEGIN IMMEDIATE" : "BEGIN"));
  impl.state = mode == Mode::write ? State::writing : State::reading;
  return Transaction(connection);
}

Result<void> Transaction::commit() {
  if (!connection_) return fail(Status::misuse, "database: commit of a transaction that has ended");
  auto done = connection_->impl_->exec("COMMIT");
  if (done) {
    connection_->impl_->state = Connection::Impl::State::idle;
    connection_ = nullptr;
  }
  rollback();  // a refused commit leaves the transaction open
  return done;
}

void Transaction::rollback() {
  if (!connection_) return;
  Connection::Impl& impl = *connection_->impl_;
  if (!sqlite3_get_autocommit(impl.handle)) sqlite3_exec(impl.handle, "ROLLBACK", nullptr, nullptr, nullptr);
  impl.state = Connection::Impl::State::idle;
  connection_ = nullptr;
}

}  // namespace mcptoken::db
