#include "loop/task.h"

namespace mcptoken::loop {

// The coroutine at the root of a spawned task: its promise is a link of the group; the frame destroys itself at the end.
struct Group::Detached {
  struct promise_type : Link {
    promise_type(Group* owner, Task<Result<void>>&, Function<void(Result<void>)>&) {
      group = owner;
      handle = std::coroutine_handle<promise_type>::from_promise(*this);
      next = owner->first_;
      if (next) next->previous = this;
      owner->first_ = this;
      ++owner->size_;
    }
    ~promise_type() { leave(); }
    void leave() {
      if (!group) return;
      if (previous) previous->next = next;
      else group->first_ = next;
      if (next) next->previous = previous;
      --group->size_;
      group = nullptr;
    }
    // co_await Leave(): the frame leaves its group, without suspending.
    struct Leave {
      bool await_ready() noexcept { return false; }
      bool await_suspend(std::coroutine_handle<promise_type> self) noexcept {
        self.promise().leave();
        return false;
      }
      void await_resume() noexcept {}
    };
    Detached get_return_object() noexcept { return {true}; }
    static Detached get_return_object_on_allocation_failure() noexcept { return {false}; }
    static void* operator new(size_t size) noexcept { return Frames::take(size); }
    static void operator delete(void* memory, size_t size) noexcept { Frames::give(memory, size); }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
  bool started;
};

Group::Detached Group::run(Group*, Task<Result<void>> task, Function<void(Result<void>)> done) {
  auto result = co_await task;
  // Whoever is told may destroy the group: this frame must not be found in it any more.
  Detached::promise_type::Leave leave;
  co_await leave;
  if (done) done(std::move(result));
}

void Group::spawn(Task<Result<void>> task, Function<void(Result<void>)> done) {
  // Without memory for the frame the task never starts; its owner learns of it through the scope, like any other end.
  if (!run(this, std::move(task), std::move(done)).started) scope_.cancel(Error(Status::no_memory, "out of memory"));
}

Group::~Group() {
  if (first_ || scope_.has_hooks()) scope_.cancel();  // most have nothing left to end
  while (first_) first_->handle.destroy();
}

}  // namespace mcptoken::loop
