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
  auto result = co_await state->done.wait(scope);
  if (!result && scope.cancelled()) {
    home.post([state, reason = scope.reason()] {
      if (state->scope) state->scope->cancel(reason);
    });
  }
  co_return result;
}

}  // namespace mcptoken::gateway
