// Blocking calls over asynchronous parts: a private loop runs until the task is done or its time is up.
//
// Invariant: one call at a time. A second one, from a callback of the first or from another thread, is refused; a
// release meanwhile cancels the first, and whoever leaves it last releases. What goes on from one call to the next, like
// a request that is polled, does so in whichever turns the loop.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>

#include "http/client.h"
#include "loop/loop.h"
#include "mcptoken/base.h"

namespace mcptoken::capi {

// A client of people at a terminal: it may go to any address, its own loop and connections.
class Blocking {
 public:
  static Result<std::unique_ptr<Blocking>> create() {
    MCPT_TRY(auto loop, loop::Loop::create());
    return std::unique_ptr<Blocking>(new Blocking(std::move(loop)));
  }

  // False while a call runs.
  bool enter() {
    State idle = State::idle;
    return state_.compare_exchange_strong(idle, State::busy);
  }
  // True: released meanwhile, which is the caller's to do now.
  bool leave() {
    State busy = State::busy;
    return !state_.compare_exchange_strong(busy, State::idle);
  }
  // True: nobody is in it, the caller releases. Any thread.
  bool release() {
    loop_->post([this] {
      if (scope_ && !leaving_) scope_->cancel(gone());
    });
    return state_.exchange(State::released) == State::idle;
  }
  bool released() const { return state_ == State::released; }

  // work: (Scope&) -> Task<Result<T>>. What it captures outlives the call.
  template <class T, class Work>
  Result<T> run(int64_t timeout_ms, Work&& work) {
    loop::Group group;
    loop::Deadline deadline(*loop_, group.scope(), timeout_ms,
                            Error(Status::timeout, "no answer within " + std::to_string(timeout_ms) + " ms"));
    const Running running(*this, group.scope(), deadline, timeout_ms);
    Result<T> result = fail(Status::internal, "not run");
    bool done = false;
    auto keep = [](loop::Task<Result<T>> task, Result<T>& out) -> loop::Task<Result<void>> {
      out = co_await task;
      co_return Result<void>();
    };
    group.spawn(keep(work(group.scope()), result), [&](Result<void>) {
      done = true;
      loop_->stop();
    });
    while (!done)  // a stop that came outside of run() ends the next one at once
      loop_->run();
    if (released()) return fail(gone());
    return result;
  }

  // Gives what runs its whole time anew: after a person was asked.
  void restart_clock() {
    loop_->catch_up();
    if (deadline_) deadline_->refresh(timeout_ms_);
  }

  // What is there to be done, without waiting.
  void turn() {
    constexpr int kTurns = 16;  // more than one answer takes from its bytes to the caller
    for (int i = 0; i < kTurns; ++i) {
      loop_->run_once();
      if (loop_->timeout_ms() != 0) return;
    }
  }

  // From here on nothing is cancelled: what is run is how the handle goes.
  void leaving() { leaving_ = true; }

  static Error gone() { return {Status::cancelled, "released while the call was running"}; }

  loop::Loop& loop() { return *loop_; }
  http::Client& http() { return http_; }
  static http::Options options() {
    http::Options options;
    options.allow_private = true;
    options.first_byte_ms = 24 * 3600'000LL;  // the deadline of run() is the one that counts
    options.connect_ms = 24 * 3600'000LL;
    return options;
  }

 private:
  class Running {
   public:
    Running(Blocking& blocking, loop::Scope& scope, loop::Deadline& deadline, int64_t timeout_ms)
        : blocking_(blocking) {
      blocking.scope_ = &scope;
      blocking.deadline_ = &deadline;
      blocking.timeout_ms_ = timeout_ms;
    }
    ~Running() {
      blocking_.scope_ = nullptr;
      blocking_.deadline_ = nullptr;
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    Blocking& blocking_;
  };

  explicit Blocking(std::unique_ptr<loop::Loop> loop)
      : loop_(std::move(loop)), http_(*loop_, std::make_shared<const http::AddressPolicy>(), Log()) {}
  std::unique_ptr<loop::Loop> loop_;
  http::Client http_;
  loop::Scope* scope_ = nullptr;  // of what runs, as the next two
  loop::Deadline* deadline_ = nullptr;
  int64_t timeout_ms_ = 0;
  bool leaving_ = false;
  enum class State { idle, busy, released };
  std::atomic<State> state_{State::idle};
};

constexpr int64_t kDefaultMs = 30'000;
constexpr int64_t kLongestMs =
    10LL * 366 * 24 * 3600 * 1000;  // longer times are this one: a sum with it is a time, too

// What a caller says of an operation's time: nothing, or nonsense, is the default.
inline int64_t time_of(int64_t timeout_ms) { return timeout_ms > 0 ? std::min(timeout_ms, kLongestMs) : kDefaultMs; }

// One call on a handle that has that `blocking`; the handle is looked at only when nobody has released it. body: () ->
// Result<void>
template <class Handle, class Body>
Result<void> alone(Blocking& blocking, Handle* handle, Body&& body) {
  if (!blocking.enter())
    return fail(Status::misuse,
                "a call on this handle has not returned yet: one thread at a time, and no call from its callback");
  struct Leave {
    Blocking& blocking;
    Handle* handle;
    ~Leave() {
      if (blocking.leave()) delete handle;
    }
  } const leave{blocking, handle};
  return body();
}
template <class Handle, class Body>
Result<void> alone(Handle* handle, Body&& body) {
  return alone(*handle->blocking, handle, std::forward<Body>(body));
}

// With NULL nothing happens.
template <class Handle>
Result<void> release(Handle* handle) {
  if (handle && handle->blocking->release()) delete handle;
  return {};
}

}  // namespace mcptoken::capi
