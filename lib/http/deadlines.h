// Many deadlines on one timer. Calls set and drop a deadline each, and nearly none of them ever passes: dropping one
// only unlinks it, and the timer is set again when it fires.
#pragma once

#include <algorithm>
#include <cstdint>

#include "loop/loop.h"

namespace mcptoken::http {

class Deadlines {
 public:
  // Thread-safety: the loop's thread. A node leaves its list when it is destroyed.
  class Node {
   public:
    Node() = default;
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;
    void disarm() {
      previous_->next_ = next_;
      next_->previous_ = previous_;
      previous_ = next_ = this;
    }

   protected:
    virtual ~Node() { disarm(); }
    virtual void on_deadline() {}  // disarmed before; may destroy the node

   private:
    friend class Deadlines;
    void link_before(Node& other) {
      previous_ = other.previous_;
      next_ = &other;
      previous_->next_ = other.previous_ = this;
    }
    Node* previous_ = this;
    Node* next_ = this;
    int64_t at_ms_ = 0;
  };

  explicit Deadlines(loop::Loop& loop) : loop_(loop), timer_(loop) {}

  void arm(Node& node, int64_t delay_ms) {
    const int64_t now = loop_.now_ms();
    node.disarm();
    node.at_ms_ = now + delay_ms;
    node.link_before(waiting_);
    if (!timer_.running() || node.at_ms_ < timer_at_ms_) schedule(node.at_ms_, now);
  }

 private:
  static constexpr int64_t kSlackMs = 5;  // deadlines close together are looked at once
  struct List final : Node {};            // the head of a ring

  void schedule(int64_t at_ms, int64_t now) {
    timer_at_ms_ = at_ms;
    timer_.start(at_ms - now, [this] { fire(); });
  }

  void fire() {
    const int64_t now = loop_.now_ms();
    int64_t earliest = INT64_MAX;
    List due;
    for (Node* node = waiting_.next_; node != &waiting_;) {
      Node* const next = node->next_;
      if (node->at_ms_ <= now) {
        node->disarm();
        node->link_before(due);
      } else {
        earliest = std::min(earliest, node->at_ms_);
      }
      node = next;
    }
    if (earliest != INT64_MAX) schedule(std::max(earliest, now + kSlackMs), now);
    while (due.next_ != &due) {
      Node* const node = due.next_;
      node->disarm();
      node->on_deadline();
    }
  }

  loop::Loop& loop_;
  loop::Timer timer_;
  List waiting_;
  int64_t timer_at_ms_ = 0;
};

}  // namespace mcptoken::http
