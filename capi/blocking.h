// Blocking calls over asynchronous parts: a private loop runs until the task is done or its time is up.
#pragma once

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

  // work: (Scope&) -> Task<Result<T>>. What it captures outlives the call.
  template <class T, class Work>
  Result<T> run(int64_t timeout_ms, Work&& work) {
    loop::Group group;
    loop::Deadline deadline(*loop_, group.scope(), timeout_ms,
                            Error(Status::timeout, "no answer within " + std::to_string(timeout_ms) + " ms"));
    const Running running(*this, deadline, timeout_ms);
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
    while (!done) // a stop that came outside of run() ends the next one at once
      loop_->run();
    return result;
  }

  // Gives what runs its whole time anew: after a person was asked.
  void restart_clock() {
    if (deadline_) deadline_->refresh(timeout_ms_);
  }

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
    Running(Blocking& blocking, loop::Deadline& deadline, int64_t timeout_ms) : blocking_(blocking) {
      blocking.deadline_ = &deadline;
      blocking.timeout_ms_ = timeout_ms;
    }
    ~Running() { blocking_.deadline_ = nullptr; }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    Blocking& blocking_;
  };

  explicit Blocking(std::unique_ptr<loop::Loop> loop)
      : loop_(std::move(loop)), http_(*loop_, std::make_shared<const http::AddressPolicy>(), Log()) {}
  std::unique_ptr<loop::Loop> loop_;
  http::Client http_;
  loop::Deadline* deadline_ = nullptr;  // of what runs
  int64_t timeout_ms_ = 0;
};

}  // namespace mcptoken::capi
