#include "store/store.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <new>
#include <thread>

#include "base/limits.h"
#include "store/ballast.h"
#include "store/directory.h"
#include "store/schema.h"

namespace mcptoken::store {
namespace {

using Instant = std::chrono::steady_clock::time_point;
using std::chrono::milliseconds;

// Under a constant load of jobs the background work still gets a turn after this long, or its rings would overflow.
constexpr milliseconds kOverdue{100};
constexpr milliseconds kRetry{500};       // after background work has failed
constexpr milliseconds kHoldAgain{1000};  // between attempts to take the ballast back

struct Job {
  rbac::Principal who;
  Work work;
  Done done;
  db::Transaction::Mode mode;
  Reserve reserve = Reserve::closed;
};

rbac::Principal system_principal() {
  rbac::Principal who;
  who.kind = rbac::PrincipalKind::system;
  return who;
}

}  // namespace

bool is_out_of_space(const Error& error) { return error.code == "storage_full" || error.status == Status::io; }

struct Store::Impl {
  explicit Impl(Options options_in) : options(std::move(options_in)), ballast(options.dir) {}

  const Options options;
  DirectoryLock lock;
  Ballast ballast;       // the store's thread, like the next two
  bool starved = false;  // there is no space to hold it: what is left is for those who may use the reserve
  Instant hold_after{};  // pace of attempts to hold it
  std::unique_ptr<db::Connection> connection;  // the store's thread; null after a failure that makes it unfit

  std::mutex mutex;  // guards the next five
  std::condition_variable changed;
  std::deque<Job> queue;
  std::shared_ptr<Background> background;  // null: none
  bool closing = false;
  bool joined = false;

  std::atomic<bool> wanted{false};       // a background turn was asked for
  bool more = false;                     // the store's thread: the last one did not finish
  Instant turn_after{};                  // the store's thread: pace of background turns
  std::optional<Instant> waiting_since;  // the store's thread: how long jobs have kept a turn waiting
  std::thread thread;

  Result<void> open();
  Result<void> ensure_connection();
  void enqueue(Job job);
  void loop();
  void run_job(Job job);
  Result<void> attempt(db::Transaction::Mode mode, db::Sync sync, Reserve reserve, const rbac::Principal& who,
                       const std::function<Result<void>(Tx&)>& work, Changes& changes);
  bool background_pending() const { return background && (more || wanted.load(std::memory_order_relaxed)); }
  void run_background(const std::shared_ptr<Background>& turn);
  void hold_ballast();
  bool open_reserve(const Error& error);
  void finish();
};

Result<void> Store::Impl::open() {
  MCPT_CHECK(prepare_directory(options.dir));
  MCPT_CHECK(lock.acquire(options.dir));
  hold_ballast();
  // On a full disk even opening needs a little: the index of the log.
  auto opened = ensure_connection();
  if (!opened && open_reserve(opened.error())) opened = ensure_connection();
  MCPT_CHECK(opened);
  std::vector<db::Schema> schemas{schema()};
  schemas.insert(schemas.end(), options.schemas.begin(), options.schemas.end());
  return db::migrate(*connection, schemas);
}

// A connection whose write or sync has failed is never used again as if nothing had happened: what the system says
// about its pages after that cannot be trusted. A new one reads the log from the start.
Result<void> Store::Impl::ensure_connection() {
  if (connection) return {};
  MCPT_TRY(connection, db::Connection::open(db::OpenOptions(database_path(options.dir))));
  return {};
}

void Store::Impl::hold_ballast() {
  const Instant now = std::chrono::steady_clock::now();
  if (ballast.held() || now < hold_after) return;
  hold_after = now + kHoldAgain;
  auto held = ballast.hold();
  const bool before = std::exchange(starved, !held && held.error().status == Status::limit);
  if (!held && !before) options.log.warn("store: " + held.error().message);
}

bool Store::Impl::open_reserve(const Error& error) {
  if (!is_out_of_space(error) || !ballast.release()) return false;
  starved = true;
  options.log.warn("store: the disk is full: the space kept for it is used to take rights away");
  return true;
}

void Store::Impl::enqueue(Job job) {
  auto refusal = [&]() -> Result<void> {
    std::lock_guard guard(mutex);
    if (closing) return fail(Status::unavailable, "the store is closed");
    if (queue.size() >= limits::kStoreQueue) return fail(Status::busy, "too many changes are waiting");
    queue.push_back(std::move(job));
    return {};
  }();
  if (refusal) {
    changed.notify_one();
  } else if (job.done) {
    job.done(std::move(refusal), Changes());
  }
}

void Store::Impl::loop() {
  connection->adopt_thread();
  for (;;) {
    std::unique_lock guard(mutex);
    // Real time, not the injected clock: this is the pace of a thread, no rule of the product depends on it.
    auto due = [&] { return background_pending() && (closing || std::chrono::steady_clock::now() >= turn_after); };
    while (queue.empty() && !closing && !due()) {
      background_pending() ? void(changed.wait_until(guard, turn_after)) : changed.wait(guard);
    }
    const bool turn = due();
    if (turn && !waiting_since) waiting_since = std::chrono::steady_clock::now();
    const bool overdue = turn && std::chrono::steady_clock::now() >= *waiting_since + kOverdue;
    if (!queue.empty() && !overdue) {
      Job job = std::move(queue.front());
      queue.pop_front();
      guard.unlock();
      run_job(std::move(job));
    } else if (turn) {
      auto background_now = background;
      guard.unlock();
      run_background(background_now);
    } else if (queue.empty() && closing) {
      break;
    }
  }
  finish();
}

Result<void> Store::Impl::attempt(db::Transaction::Mode mode, db::Sync sync, Reserve reserve,
                                  const rbac::Principal& who, const std::function<Result<void>(Tx&)>& work,
                                  Changes& changes) try {
  if (mode == db::Transaction::Mode::write && reserve == Reserve::closed) {
    hold_ballast();
    if (starved) return fail(db::out_of_space());
  }
  MCPT_CHECK(ensure_connection());
  auto done = [&]() -> Result<void> {
    MCPT_TRY(auto transaction, db::Transaction::begin(*connection, mode, sync));
    Tx tx(transaction, who, options.clock->wall_ms());
    MCPT_CHECK(work(tx));
    MCPT_CHECK(transaction.commit());
    changes = tx.changes();
    return {};
  }();
  const Status status = done ? Status::ok : done.error().status;
  if (status == Status::io || status == Status::corrupt) {
    options.log.error("store: " + done.error().message);
    connection.reset();
  }
  return done;
} catch (const std::bad_alloc&) {
  return fail(Status::no_memory, "out of memory");
}

void Store::Impl::run_job(Job job) try {
  Changes changes;
  auto once = [&] {
    return attempt(
        job.mode, db::Sync::full, job.reserve, job.who, [&](Tx& tx) { return job.work(tx); }, changes);
  };
  auto done = once();
  if (!done && job.reserve == Reserve::open && open_reserve(done.error())) done = once();
  if (job.done) job.done(std::move(done), changes);
} catch (const std::bad_alloc&) {
  options.log.error("store: out of memory while answering a job");
}

void Store::Impl::run_background(const std::shared_ptr<Background>& turn) {
  waiting_since.reset();
  // Before the work looks at its sources: what arrives after that asks for another turn.
  wanted.store(false, std::memory_order_seq_cst);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  static const rbac::Principal who = system_principal();
  bool waiting = false;
  Changes changes;
  auto work = [&](Tx& tx) -> Result<void> {
    MCPT_TRY(waiting, turn->work(tx));
    return {};
  };
  auto done = attempt(db::Transaction::Mode::write, db::Sync::normal, Reserve::closed, who, work, changes);
  if (turn->done) turn->done(done.has_value());
  const Instant now = std::chrono::steady_clock::now();
  if (done) {
    more = waiting;
    turn_after = waiting ? now : now + milliseconds(limits::kAuditFlushMs);
    return;
  }
  options.log.warn("store: background work failed: " + done.error().message);
  std::lock_guard guard(mutex);
  if (closing) background.reset();  // at the end there is no second attempt
  more = true;
  turn_after = now + kRetry;
}

void Store::Impl::finish() {
  if (!connection) return;
  auto done = connection->checkpoint();
  if (!done) options.log.warn("store: checkpoint at the end: " + done.error().message);
  connection.reset();
}

// --- Store

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() { close(); }

Result<std::unique_ptr<Store>> Store::open(Options options) {
  auto impl = std::make_unique<Impl>(std::move(options));
  MCPT_CHECK(impl->open());
  impl->thread = std::thread([raw = impl.get()] { raw->loop(); });
  return std::unique_ptr<Store>(new Store(std::move(impl)));
}

void Store::run(rbac::Principal who, Work work, Done done, Reserve reserve) {
  impl_->enqueue({std::move(who), std::move(work), std::move(done), db::Transaction::Mode::write, reserve});
}

void Store::read(rbac::Principal who, Work work, Done done) {
  impl_->enqueue({std::move(who), std::move(work), std::move(done), db::Transaction::Mode::read});
}

template <class Queue>
Result<Changes> Store::wait_for(Queue queue) {
  if (std::this_thread::get_id() == impl_->thread.get_id()) {
    return fail(Status::misuse, "waiting for the store on its own thread");
  }
  std::mutex mutex;
  std::condition_variable finished;
  bool ready = false;
  Result<Changes> answer;
  auto done = [&](Result<void> result, const Changes& changes) {
    std::lock_guard guard(mutex);
    if (result) {
      answer = changes;
    } else {
      answer = fail(std::move(result).error());
    }
    ready = true;
    finished.notify_one();
  };
  queue(done);
  std::unique_lock guard(mutex);
  finished.wait(guard, [&] { return ready; });
  return answer;
}

Result<Changes> Store::run_and_wait(const rbac::Principal& who, Work work, Reserve reserve) {
  return wait_for([&](auto& done) { run(who, std::move(work), done, reserve); });
}

Result<void> Store::read_and_wait(const rbac::Principal& who, Work work) {
  MCPT_CHECK(wait_for([&](auto& done) { read(who, std::move(work), done); }));
  return {};
}

void Store::wake_background() {
  // Orders the caller's push before the look at `wanted`, as run_background orders the other way round: one of the two
  // sees what the other did.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (impl_->wanted.load(std::memory_order_relaxed) || impl_->wanted.exchange(true)) return;
  { std::lock_guard guard(impl_->mutex); }  // not between the store thread's test and its wait
  impl_->changed.notify_one();
}

void Store::set_background(Background background) {
  {
    std::lock_guard guard(impl_->mutex);
    impl_->background = background.work ? std::make_shared<Background>(std::move(background)) : nullptr;
  }
  wake_background();
}

const std::string& Store::dir() const { return impl_->options.dir; }

void Store::close() {
  std::unique_lock guard(impl_->mutex);
  if (impl_->joined) return;
  impl_->closing = impl_->joined = true;
  impl_->wanted = true;  // what the rings still hold
  guard.unlock();
  impl_->changed.notify_one();
  impl_->thread.join();
  impl_->lock.release();
}

}  // namespace mcptoken::store
