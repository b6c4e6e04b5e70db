// Cancellation. A Scope is what a piece of work runs in; cancelling it completes every wait inside with the given reason
// (but that at a stage, which lasts no longer than the turn).
//
// Invariants: a scope belongs to one loop thread; a child is cancelled with its parent; a hook is called at most once and
// is detached before the call, so that it may destroy itself.
#pragma once

#include <memory>
#include <optional>

#include "base/result.h"

namespace mcptoken::loop {

class Scope {
 public:
  class Hook {
   public:
    Hook() = default;
    Hook(const Hook&) = delete;
    Hook& operator=(const Hook&) = delete;
    virtual ~Hook() { detach(); }
    // Called at once when the scope is cancelled already.
    void attach(Scope& scope);
    void detach();
    bool attached() const { return scope_ != nullptr; }

   protected:
    virtual void on_cancel(const Error& reason) = 0;

   private:
    friend class Scope;
    Scope* scope_ = nullptr;
    Hook* previous_ = nullptr;
    Hook* next_ = nullptr;
  };

  Scope() = default;
  explicit Scope(Scope& parent) { link_.emplace(*this, parent); }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope();

  void cancel(Error reason = Error(Status::cancelled, "cancelled"));
  bool cancelled() const { return reason_ != nullptr; }
  bool has_hooks() const { return hooks_ != nullptr; }  // whether anybody would hear of a cancellation
  const Error& reason() const { return *reason_; }

 private:
  struct ParentLink final : Hook {
    ParentLink(Scope& self, Scope& parent) : self_(self) { attach(parent); }
    void on_cancel(const Error& reason) override { self_.cancel(reason); }
    Scope& self_;
  };
  Hook* hooks_ = nullptr;
  std::unique_ptr<const Error> reason_;  // seldom there, and scopes are many
  std::shared_ptr<bool> alive_;  // while cancel() runs: a hook may destroy the scope
  std::optional<ParentLink> link_;
};

}  // namespace mcptoken::loop
