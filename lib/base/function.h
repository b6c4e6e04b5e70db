// Owning call wrappers for move-only callables: std::move_only_function is not in C++20.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace mcptoken {

template <class Signature>
class Function;

// What is small (a pointer or two, or a shared pointer) lies in the object itself; the rest in memory of its own.
template <class R, class... Args>
class Function<R(Args...)> {
 public:
  Function() = default;
  Function(std::nullptr_t) {}
  template <class F, class = std::enable_if_t<!std::is_same_v<std::decay_t<F>, Function>>>
  Function(F&& f) {
    using Held = std::decay_t<F>;
    if constexpr (is_small<Held>) {
      new (room_) Held(std::forward<F>(f));
      ops_ = &kInside<Held>;
    } else {
      new (room_) Held*(new Held(std::forward<F>(f)));
      ops_ = &kOutside<Held>;
    }
  }
  Function(Function&& other) noexcept { take(other); }
  Function& operator=(Function&& other) noexcept {
    if (this == &other) return *this;
    Function old(std::move(*this));  // last: its end may destroy what this one belongs to
    take(other);
    return *this;
  }
  ~Function() {
    if (ops_) ops_->destroy(room_);
  }

  R operator()(Args... args) { return ops_->call(room_, std::forward<Args>(args)...); }
  explicit operator bool() const { return ops_ != nullptr; }

 private:
  static constexpr size_t kRoom = 3 * sizeof(void*);
  template <class F>
  static constexpr bool is_small =
      sizeof(F) <= kRoom && alignof(F) <= alignof(void*) && std::is_nothrow_move_constructible_v<F>;

  struct Ops {
    R (*call)(void* room, Args&&... args);
    void (*move)(void* from, void* to) noexcept;  // and destroys what is left
    void (*destroy)(void* room) noexcept;
  };
  template <class F>
  static constexpr Ops kInside = {
      [](void* room, Args&&... args) -> R { return (*static_cast<F*>(room))(std::forward<Args>(args)...); },
      [](void* from, void* to) noexcept {
        new (to) F(std::move(*static_cast<F*>(from)));
        static_cast<F*>(from)->~F();
      },
      [](void* room) noexcept { static_cast<F*>(room)->~F(); }};
  template <class F>
  static constexpr Ops kOutside = {
      [](void* room, Args&&... args) -> R { return (**static_cast<F**>(room))(std::forward<Args>(args)...); },
      [](void* from, void* to) noexcept { new (to) F*(*static_cast<F**>(from)); },
      [](void* room) noexcept { delete *static_cast<F**>(room); }};

  void take(Function& other) noexcept {
    ops_ = std::exchange(other.ops_, nullptr);
    if (ops_) ops_->move(other.room_, room_);
  }

  const Ops* ops_ = nullptr;
  alignas(void*) std::byte room_[kRoom];
};

}  // namespace mcptoken
