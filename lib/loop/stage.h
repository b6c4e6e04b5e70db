// Tasks of one turn that do the same piece of work one after the other: the first brings the code into the processor's caches,
// the others find it there. A request that goes from its first byte to its last in one go finds nothing, because what all the
// pieces need together is several times as large. (Cohort scheduling: Larus and Parkes, USENIX 2002.)
//
//   loop::Stage stage(loop);
//   co_await stage;
//
// The task goes on at the end of the turn, when everything that came with it has been looked at and whoever came here before has
// gone on to where it waits. A scope that is cancelled meanwhile does not end the wait, which is short: look at it afterwards
// where it matters. Whoever is destroyed while waiting is forgotten.
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
  // Inside this call, if it still waits: for what must not come before it.
  void go_on() {
    if (alone()) return;
    unlink();
    handle_.resume();
  }

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
  static constexpr int kMost = 4'096;  // in a turn: whoever begins again while he goes on must not keep the loop to himself
  void add(Stage& stage);
  void run();
  void run_at_end_of_turn();
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
  if (!runs_) run_at_end_of_turn();
}

inline void Stages::run_at_end_of_turn() {
  loop_.defer([this] { run(); });
  runs_ = true;  // if there was memory for that
}

// Whoever comes here from its last stage is behind those that are still at theirs.
inline void Stages::run() {
  for (int i = 0; i < kMost && !waiting_.alone(); ++i)
    static_cast<Stage*>(waiting_.next())->go_on();
  runs_ = false;
  if (!waiting_.alone()) run_at_end_of_turn();
}

}  // namespace mcptoken::loop
