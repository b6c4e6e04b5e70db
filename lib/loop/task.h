// Task<Result<T>>: a coroutine that starts when awaited and runs on one loop thread. Linear code for asynchronous work.
//
// Rules (checked by tests/style/coroutines; the reason is a GCC 12 defect: an aggregate temporary in the arguments of an
// awaited call is destroyed twice): every argument of an awaited call is a named object, a scalar, or a reference to
// one; no '{' between co_await and ';'. Parameters of coroutines are taken by value, or by reference to something that
// outlives the call.
//
// Invariants:
//  1. Destroying a Task destroys its frame; every awaitable in lib/ detaches itself on destruction, so this is always safe.
//  2. A child that completes without suspending does not grow the stack of a loop in its parent (no symmetric transfer).
//  3. std::bad_alloc, for the frame or inside it, becomes Status::no_memory. Nothing else is thrown in lib/.
#pragma once

#include <coroutine>
#include <exception>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/function.h"
#include "base/result.h"
#include "loop/frames.h"
#include "loop/scope.h"

namespace mcptoken::loop {

template <class R>
class [[nodiscard]] Task;

template <class T>
class [[nodiscard]] Task<Result<T>> {
 public:
  using value_type = Result<T>;

  struct promise_type {
    std::coroutine_handle<> continuation;
    bool starting = false;  // inside the parent's await_suspend: completion is noticed there
    std::optional<Result<T>> result;

    Task get_return_object() { return Task(std::coroutine_handle<promise_type>::from_promise(*this)); }
    static Task get_return_object_on_allocation_failure() noexcept { return Task(nullptr); }
    static void* operator new(size_t size) noexcept { return Frames::take(size); }
    static void operator delete(void* memory, size_t size) noexcept { Frames::give(memory, size); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    struct Final {
      bool await_ready() noexcept { return false; }
      void await_suspend(std::coroutine_handle<promise_type> self) noexcept {
        auto& promise = self.promise();
        if (!promise.starting && promise.continuation) promise.continuation.resume();
      }
      void await_resume() noexcept {}
    };
    Final final_suspend() noexcept { return {}; }
    template <class U>
    void return_value(U&& value) { result.emplace(std::forward<U>(value)); }
    void unhandled_exception() noexcept {
      try {
        throw;
      } catch (const std::bad_alloc&) {
        result.emplace(fail(Status::no_memory, "out of memory"));
      }  // anything else is a defect and ends the process through noexcept
    }
  };

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (handle_) handle_.destroy();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~Task() { if (handle_) handle_.destroy(); }

  bool await_ready() const noexcept { return !handle_; }
  bool await_suspend(std::coroutine_handle<> parent) {
    auto& promise = handle_.promise();
    promise.continuation = parent;
    promise.starting = true;
    handle_.resume();
    promise.starting = false;
    return !handle_.done();
  }
  Result<T> await_resume() {
    if (!handle_) return fail(Status::no_memory, "out of memory");
    return *std::move(handle_.promise().result);
  }

 private:
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

// A value that somebody will deliver later, on the same loop, to at most one waiter.
//   Completion<int> done;  …  auto r = co_await done.wait(scope);  …  done.resolve(7);
// resolve() resumes the waiter inside the call; the waiter may destroy the Completion, so touch nothing afterwards.
template <class T>
class Completion {
 public:
  Completion() = default;
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;
  ~Completion() { if (waiter_) waiter_->from_ = nullptr; }

  class Waiter final : Scope::Hook {
   public:
    Waiter(Completion& from, Scope& scope) : from_(&from), scope_(scope) {}
    ~Waiter() override { if (from_) from_->waiter_ = nullptr; }
    bool await_ready() {
      if (from_->value_) return true;
      if (!scope_.cancelled()) return false;
      from_->value_.emplace(fail(scope_.reason()));
      return true;
    }
    void await_suspend(std::coroutine_handle<> handle) {
      handle_ = handle;
      from_->waiter_ = this;
      attach(scope_);
    }
    Result<T> await_resume() {
      if (early_) return *std::move(early_);
      auto value = *std::move(from_->value_);
      from_->value_.reset();
      return value;
    }

   private:
    friend class Completion;
    void on_cancel(const Error& reason) override {
      early_.emplace(fail(reason));
      if (from_) from_->waiter_ = nullptr;
      from_ = nullptr;
      handle_.resume();
    }
    Completion* from_;
    Scope& scope_;
    std::coroutine_handle<> handle_;
    std::optional<Result<T>> early_;
  };

  Waiter wait(Scope& scope) { return Waiter(*this, scope); }
  bool resolved() const { return value_.has_value(); }
  void resolve(Result<T> value) {
    if (value_) return;
    value_.emplace(std::move(value));
    if (auto* waiter = std::exchange(waiter_, nullptr)) {
      waiter->detach();
      waiter->handle_.resume();
    }
  }

 private:
  std::optional<Result<T>> value_;
  Waiter* waiter_ = nullptr;
};

// Owns tasks that nobody awaits. Destruction cancels and destroys what still runs.
class Group {
 public:
  Group() = default;
  explicit Group(Scope& parent) : scope_(parent) {}
  ~Group();
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  // Runs until the task's first suspension inside the call. `done` is called with its result, unless destroyed before; it
  // may destroy the group. The task itself must not (it would be destroyed while it runs).
  void spawn(Task<Result<void>> task, Function<void(Result<void>)> done = nullptr);
  Scope& scope() { return scope_; }
  void cancel(Error reason) { scope_.cancel(std::move(reason)); }
  size_t size() const { return size_; }

 private:
  struct Detached;
  friend struct Detached;
  static Detached run(Group* group, Task<Result<void>> task, Function<void(Result<void>)> done);
  struct Link {  // the promise of a running task
    Group* group = nullptr;
    Link* previous = nullptr;
    Link* next = nullptr;
    std::coroutine_handle<> handle;
  };
  Scope scope_;
  Link* first_ = nullptr;
  size_t size_ = 0;
};

}  // namespace mcptoken::loop
