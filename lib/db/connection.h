// Start here. lib/db is the only place that includes sqlite3.h: one connection, its cached statements, transactions,
// and numbered migrations. No type of the database library appears in a header.
//
// Invariants:
//  1. A connection belongs to one thread at a time; calls from another are refused with Status::misuse.
//  2. Data is written inside a write Transaction only: a writing statement anywhere else is refused with
//  Status::misuse.
//  3. One connection of one process writes and checkpoints (older SQLite loses data when two of them race to reset the
//     write-ahead log); lib/store holds the lock that makes it so.
//
// Statuses: exists (unique or primary key), conflict (foreign key), invalid (other constraints), busy, corrupt (damaged
// or not a database), limit (disk or page limit full), io, no_memory, too_large, not_supported (newer schema), misuse.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "db/statement.h"

namespace mcptoken::db {

// What a commit waits for. full: it survives a power loss. normal: it survives the process, and a power loss may take
// the last commits (in order, never half of one); the next full commit makes earlier normal ones durable, too.
enum class Sync : uint8_t { full, normal };

struct OpenOptions {
  explicit OpenOptions(std::string path_in) : path(std::move(path_in)) {}
  std::string path;                // created with mode 0600; an existing file is narrowed to 0600
  int64_t busy_timeout_ms = 2000;  // another process (a backup) may hold a lock for a moment
};

class Connection {
 public:
  // Write-ahead log, foreign keys (checked), secure delete, defensive, untrusted schema, cell size checks, no mmap.
  // After an unclean end (a log is left) the whole file is checked: Status::corrupt when it is damaged.
  static Result<std::unique_ptr<Connection>> open(const OpenOptions& options);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // From the cache of this connection when it was prepared before.
  Result<Statement> prepare(Sql sql);
  template <class... Args>
  Result<void> run(Sql sql, const Args&... args) {
    MCPT_TRY(auto statement, prepare(sql));
    return statement.borrow().bind(args...).run();
  }
  Result<void> script(Sql sql);  // several statements without parameters or rows: schemas

  int64_t changes() const;  // rows of the last insert, update or delete, without cascades
  int64_t last_insert_id() const;
  Result<void> checkpoint();                // moves the whole log into the database file and truncates it
  Result<void> limit_pages(int64_t pages);  // the file grows no further than this; beyond: Status::limit
  Result<int64_t> pages();
  void adopt_thread();  // the calling thread becomes the owner

 private:
  friend class Statement;
  friend class Transaction;
  struct Impl;
  explicit Connection(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// What a full disk is answered with (limit).
Error out_of_space();

// Rolls back on destruction unless committed. One at a time per connection: a second one is Status::misuse.
class Transaction {
 public:
  enum class Mode : uint8_t { read, write };  // write takes the write lock at once (IMMEDIATE)

  static Result<Transaction> begin(Connection& connection, Mode mode = Mode::write, Sync sync = Sync::full);
  Transaction(Transaction&& other) noexcept : connection_(std::exchange(other.connection_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction() { rollback(); }

  // After a failure nothing of the transaction is in the database.
  Result<void> commit();
  void rollback();  // harmless when it has ended

  Connection& connection() { return *connection_; }  // not after commit or rollback
  Result<Statement> prepare(Sql sql) { return connection_->prepare(sql); }
  template <class... Args>
  Result<void> run(Sql sql, const Args&... args) {
    return connection_->run(sql, args...);
  }

 private:
  explicit Transaction(Connection& connection) : connection_(&connection) {}
  Connection* connection_;
};

}  // namespace mcptoken::db
