// Tasks of one turn that do the same piece of work one after the other: the first brings the code into the processor's caches,
// the others find it there. A request that goes from its first byte to its last in one go finds nothing, because what all the
// pieces need together is several times as large. (Cohort scheduling: Larus and Parkes, USENIX 2002.)
//
//   loop::Stage stage(loop);
//   co_await stage;
//
// The task goes on in the same turn, when everything that came with this turn has been looked at and whoever came here before
// has gone on to where it waits. A scope that is cancelled meanwhile does not end the wait, which is short: look at it
// afterwards where it matters. Whoever is destroyed while waiting is forgotten.
#pragma once

#include <coroutine>

#include "base/ring.h"
#include "loop/loop.h"

namespace mcptoken::loop {

class Stages;

class Stage final : RingNode {
 public:
  explicit Stage(Loop& loop) : stages_(loop.stages()) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle);
  void await_resume() const noexcept {}

 private:
  friend class Stages;
  Stages& stages_;
  std::coroutine_handle<> handle_;
};

// Of one loop: who waits, in the order in which they came.
class Stages {
 public:
  explicit Stages(Loop& loop) : loop_(loop) {}

 private:
  friend class Stage;
  void add(Stage& stage);
  void run();
  Loop& loop_;
  Ring waiting_;
  bool runs_ = false;  // or will at the end of the turn
};

inline void Stage::await_suspend(std::coroutine_handle<> handle) {
  handle_ = handle;
  stages_.add(*this);
}

inline void Stages::add(Stage& stage) {
  stage.link_before(waiting_);
  if (runs_) return;
  runs_ = true;
  loop_.defer([this] { run(); });
}

// Whoever comes here from its last stage is behind those that are still at theirs. It ends, because a request has a fixed number
// of stages and new ones come with a turn.
inline void Stages::run() {
  while (!waiting_.alone()) {
    auto* const stage = static_cast<Stage*>(waiting_.next());
    stage->unlink();
    stage->handle_.resume();
  }
  runs_ = false;
}

}  // namespace mcptoken::loop
