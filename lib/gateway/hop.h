// Work on another loop: runs there, answers here. Cancelling the asker's scope cancels the work.
#pragma once

#include <memory>
#include <utility>

#include "loop/loop.h"
#include "loop/task.h"

namespace mcptoken::gateway {

// Each side touches only its own members; what crosses are messages.
template <class T>
struct HopState {
  loop::Completion<T> done;             // asker's side
  std::unique_ptr<loop::Scope> scope;   // home's side, while the work runs there
};

template <class T>
loop::Task<Result<void>> run_hop(std::shared_ptr<HopState<T>> state, loop::Loop& asker,
                                 Function<loop::Task<Result<T>>(loop::Scope&)> work) {
  auto task = work(*state->scope);
  auto result = co_await task;
  state->scope.reset();
  asker.post([state, result = std::move(result)]() mutable { state->done.resolve(std::move(result)); });
  co_return Result<void>();
}

// Ends the work when the asker's frame ends without its answer, also when that frame is destroyed while it waits.
template <class T>
class Abandon {
 public:
  Abandon(loop::Loop& home, std::shared_ptr<HopState<T>> state, loop::Scope& scope)
      : home_(home), state_(std::move(state)), scope_(scope) {}
  ~Abandon() {
    if (!state_) return;
    Error reason = scope_.cancelled() ? scope_.reason() : Error(Status::cancelled, "cancelled");
    home_.post([state = std::move(state_), reason = std::move(reason)] {
      if (state->scope) state->scope->cancel(reason);
    });
  }
  Abandon(const Abandon&) = delete;
  Abandon& operator=(const Abandon&) = delete;
  void keep() { state_.reset(); }

 private:
  loop::Loop& home_;
  std::shared_ptr<HopState<T>> state_;
  loop::Scope& scope_;
};

// `group` is the home's, and owns the work there. Runs in place when both loops are the same.
template <class T>
loop::Task<Result<T>> on_loop(loop::Loop& asker, loop::Loop& home, loop::Group& group,
                              Function<loop::Task<Result<T>>(loop::Scope&)> work, loop::Scope& scope) {
  if (&asker == &home) {
    auto task = work(scope);
    auto result = co_await task;
    co_return result;
  }
  auto state = std::make_shared<HopState<T>>();
  bool accepted = home.try_post([state, &asker, &group, work = std::move(work)]() mutable {
    state->scope = std::make_unique<loop::Scope>(group.scope());
    auto task = run_hop<T>(state, asker, std::move(work));
    group.spawn(std::move(task));
  });
  if (!accepted) co_return fail(Status::busy, "too much is waiting; try again");
  Abandon<T> abandon(home, state, scope);
  auto result = co_await state->done.wait(scope);
  if (result || !scope.cancelled()) abandon.keep();
  co_return result;
}

}  // namespace mcptoken::gateway
