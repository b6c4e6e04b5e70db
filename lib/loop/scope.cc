#include "loop/scope.h"

namespace mcptoken::loop {

void Scope::Hook::attach(Scope& scope) {
  detach();
  if (scope.reason_) {
    Error reason = *scope.reason_;
    on_cancel(reason);
    return;
  }
  scope_ = &scope;
  previous_ = nullptr;
  next_ = scope.hooks_;
  if (next_) next_->previous_ = this;
  scope.hooks_ = this;
}

void Scope::Hook::detach() {
  if (!scope_) return;
  if (previous_) previous_->next_ = next_;
  else scope_->hooks_ = next_;
  if (next_) next_->previous_ = previous_;
  scope_ = nullptr;
  previous_ = next_ = nullptr;
}

Scope::~Scope() {
  if (alive_) *alive_ = false;
  link_.reset();
  while (hooks_) hooks_->detach();
}

void Scope::cancel(Error reason) {
  if (reason_) return;
  reason_ = std::make_unique<const Error>(reason);
  // A hook may end the work that owns this scope: everything needed is on the stack, and `hooks_` is re-read each time.
  const auto alive = alive_ = std::make_shared<bool>(true);
  while (*alive && hooks_) {
    Hook* hook = hooks_;
    hook->detach();
    hook->on_cancel(reason);
  }
}

}  // namespace mcptoken::loop
