// Start here. lib/loop is the only place that includes uv.h: one event loop per thread, its mailbox, timers, descriptor
// watches, child processes, and coroutines.
//
// Invariants:
//  1. Everything but post() and stop() is called on the loop's own thread.
//  2. Messages of one sender arrive in order. Control messages are never refused; traffic uses try_post, which is bounded.
//  3. The mailbox keeps the libuv loop alive: an empty one would answer timeout 0 for ever and make a foreign host spin.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "base/function.h"
#include "base/result.h"
#include "base/ring.h"
#include "loop/scope.h"
#include "loop/task.h"

namespace mcptoken::loop {

using Callback = Function<void()>;

class Deadlines;
class Stages;

class Loop {
 public:
  static Result<std::unique_ptr<Loop>> create(const Clock& clock = system_clock());
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // --- any thread
  void post(Callback message);                   // control: always accepted
  [[nodiscard]] bool try_post(Callback message);  // traffic: false when the mailbox is full
  void stop();                                   // makes run() return after the current turn

  // --- own thread
  int fd() const;                // readable when there is something to do (an epoll descriptor)
  int64_t timeout_ms() const;    // how long to wait on fd() at most; -1: no limit
  void run_once();               // does what is due, never waits
  void run();                    // until stop()
  // Before run() sleeps it looks again for as long, where that has paid (busy_poll.h); 0, as at first: never.
  void set_busy_poll(int64_t us);
  void defer(Callback work);     // runs at the end of the current or next turn, in order
  // Frees a callback at the end of the turn: it may be the one that is running right now.
  template <class F>
  void retire(F&& callback) {
    if (callback) defer([owned = std::forward<F>(callback)] {});
  }
  // By the monotonic clock. Within a turn it is when the turn began: what is asked for each request must cost nothing.
  int64_t now_ms() const;
  // Somebody outside has been asked in the middle of a turn, which may have taken long: what is begun from here on begins now.
  void catch_up();
  const Clock& clock() const { return clock_; }
  bool on_thread() const;        // meaningful once the loop has run
  Deadlines& deadlines() { return *deadlines_; }
  Stages& stages() { return *stages_; }  // stage.h

  struct Impl;                   // defined by loop.cc; timers and watches use it
  Impl& impl() { return *impl_; }

 private:
  Loop(const Clock& clock, std::unique_ptr<Impl> impl);
  const Clock& clock_;
  std::unique_ptr<Impl> impl_;
  std::unique_ptr<Stages> stages_;
  std::unique_ptr<Deadlines> deadlines_;  // last: its timer is one of the loop's
};

// A one-shot or repeating timer. Destruction stops it; the callback may destroy it.
class Timer {
 public:
  explicit Timer(Loop& loop) : loop_(loop) {}
  ~Timer() { stop(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  void start(int64_t delay_ms, Callback callback, int64_t repeat_ms = 0);  // restarts when running
  void stop();
  bool running() const { return handle_ != nullptr; }

 private:
  friend struct Loop::Impl;
  Loop& loop_;
  void* handle_ = nullptr;
  Callback callback_;
};

enum Events : int { kReadable = 1, kWritable = 2, kDisconnect = 4 };

// Watches a descriptor that somebody else owns; stop before closing it. Destruction stops; the callback may destroy it.
class Watch {
 public:
  explicit Watch(Loop& loop) : loop_(loop) {}
  ~Watch() { stop(); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  Result<void> start(int fd, int events, Function<void(int events)> callback);
  void change(int events);
  void stop();
  bool running() const { return handle_ != nullptr; }
  // Something to read will come here next, and soon. A loop that looks again before it sleeps (set_busy_poll) then calls the callback
  // with kReadable between its questions to the system, which are dearer than to look and find nothing. Of no effect on a watch that is
  // paused or stopped; until another watch says so, or a whole look was in vain.
  void expect();

 private:
  friend struct Loop::Impl;
  Loop& loop_;
  void* handle_ = nullptr;
  Function<void(int)> callback_;
};

// co_await sleep(loop, ms).wait(scope)
class Sleep {
 public:
  Sleep(Loop& loop, int64_t ms) : timer_(loop) { timer_.start(ms, [this] { done_.resolve({}); }); }
  auto wait(Scope& scope) { return done_.wait(scope); }

 private:
  Completion<void> done_;
  Timer timer_;
};

// Many deadlines on one timer. Calls set and drop some each, and nearly none of them ever passes: dropping one only
// unlinks it, and the timer is set again when it fires.
class Deadlines {
 public:
  class Node : RingNode {
   public:
    void disarm() { unlink(); }

   protected:
    virtual ~Node() = default;
    virtual void on_deadline() {}  // disarmed before; may destroy the node

   private:
    friend class Deadlines;
    int64_t at_ms_ = 0;
  };

  explicit Deadlines(Loop& loop) : loop_(loop), timer_(loop) {}
  void arm(Node& node, int64_t delay_ms);  // anew when it is armed

 private:
  void schedule(int64_t at_ms, int64_t now);
  void fire();

  Loop& loop_;
  Timer timer_;
  Ring waiting_;
  int64_t timer_at_ms_ = 0;
};

// Cancels a scope when time is up, unless destroyed or refreshed before.
class Deadline final : Deadlines::Node {
 public:
  Deadline(Loop& loop, Scope& scope, int64_t ms, Error reason)
      : Deadline(loop, scope, ms, Reason([reason = std::move(reason)] { return reason; })) {}
  // Most deadlines are met: the words for those that are not are put together when it has come to that.
  using Reason = Function<Error()>;
  Deadline(Loop& loop, Scope& scope, int64_t ms, Reason reason) : loop_(loop), scope_(scope), reason_(std::move(reason)) {
    refresh(ms);
  }
  void refresh(int64_t ms) { loop_.deadlines().arm(*this, ms); }
  void stop() { disarm(); }

 private:
  void on_deadline() override { scope_.cancel(reason_()); }
  Loop& loop_;
  Scope& scope_;
  Reason reason_;
};

}  // namespace mcptoken::loop
