// The one thread that owns the database of a data directory, and the queue in front of it.
//
// Invariants:
//  1. Jobs run one at a time in the order they were queued, each in a transaction of its own.
//  2. done() is called exactly once per job: with success only after the commit is durable. It runs on the store's
//  thread;
//     when the job could not be queued (busy: the queue is full; unavailable: closed), on the calling thread before
//     run() returns. It must not block, and hands over to a loop what is more than a moment's work.
//  3. One Store per directory, over all processes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/function.h"
#include "base/log.h"
#include "base/result.h"
#include "db/migrate.h"
#include "rbac/policy.h"
#include "store/tx.h"

namespace mcptoken::store {

struct Options {
  explicit Options(std::string dir_in, const Clock& clock_in = system_clock())
      : dir(std::move(dir_in)), clock(&clock_in) {}
  std::string dir;  // created with mode 0700 when missing; its parent must exist
  const Clock* clock;
  Log log;
  std::vector<db::Schema> schemas;  // of the other folders that have tables in this database (audit)
};

// Whether a job may be given the space that is kept for it when the disk is full. For what takes rights away, and for a
// login now and then, without which nobody could.
enum class Reserve : uint8_t { closed, open };

// Also an I/O error: a file system may notice when it writes out, and the log's index is not written but mapped.
bool is_out_of_space(const Error& error);

using Work = Function<Result<void>(Tx&)>;
using Done = Function<void(Result<void>, const Changes&)>;  // Changes are empty on failure

// Low-priority work in transactions with Sync::normal, behind every queued job. `work` answers whether more is waiting
// (then it is called again as soon as no job waits), `done` whether that transaction was committed. Jobs that never
// stop coming hold it up for 100 ms at most. What the two refer to must live until close() has returned.
struct Background {
  Function<Result<bool>(Tx&)> work;
  Function<void(bool committed)> done;
};

class Store {
 public:
  // Takes the directory's lock, opens and migrates the database, starts the thread. busy: another process (or Store)
  // has the directory; not_supported: a newer build wrote it; io; corrupt.
  static Result<std::unique_ptr<Store>> open(Options options);
  ~Store();  // close()
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // --- any thread
  // A write transaction with Sync::full. With Reserve::open the work may be called a second time, after a first that
  // failed for lack of space.
  void run(rbac::Principal who, Work work, Done done, Reserve reserve = Reserve::closed);
  void read(rbac::Principal who, Work work, Done done);  // the same thread and order, without write lock or sync
  // run() and wait: for start-up and offline tools, never on a loop or on the store's own thread (misuse).
  Result<Changes> run_and_wait(const rbac::Principal& who, Work work, Reserve reserve = Reserve::closed);
  Result<void> read_and_wait(const rbac::Principal& who, Work work);
  // Asks for a background turn within 20 ms. Cheap: while one is asked for already it is one atomic load.
  void wake_background();
  void set_background(Background background);
  const std::string& dir() const;

  // Runs what is queued and the background work, checkpoints, releases the directory. Idempotent; not on the store's
  // thread. Jobs queued after it began are answered unavailable.
  void close();

 private:
  struct Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  template <class Queue>
  Result<Changes> wait_for(Queue queue);
  std::unique_ptr<Impl> impl_;
};

}  // namespace mcptoken::store
