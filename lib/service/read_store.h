// A question to the store from a loop.
#pragma once

#include <memory>
#include <utility>

#include "loop/loop.h"
#include "store/store.h"

namespace mcptoken::service {

// Whom this process acts as for itself.
inline rbac::Principal system_principal() {
  rbac::Principal who;
  who.kind = rbac::PrincipalKind::system;
  return who;
}

// `work` runs on the store's thread, in a transaction that reads; its answer is waited for on `loop`. What it uses outlives the
// asking frame, which may be destroyed meanwhile.
template <class T>
loop::Task<Result<T>> read_store(store::Store& store, loop::Loop& loop, rbac::Principal who, Function<Result<T>(store::Tx&)> work,
                                 loop::Scope& scope) {
  struct State {
    loop::Completion<T> done;  // the loop's side
    std::optional<T> found;    // the store's side, until it is posted
  };
  auto state = std::make_shared<State>();
  store::Work reading = [state, work = std::move(work)](store::Tx& tx) mutable -> Result<void> {
    MCPT_TRY(state->found, work(tx));
    return {};
  };
  store::Done done = [state, &loop](Result<void> read, const store::Changes&) {
    loop.post([state, read = std::move(read)]() mutable {
      if (read) state->done.resolve(*std::move(state->found));
      else state->done.resolve(fail(std::move(read).error()));
    });
  };
  store.read(who, std::move(reading), std::move(done));
  auto result = co_await state->done.wait(scope);
  co_return result;
}

}  // namespace mcptoken::service
