// A list whose nodes are parts of what it lists, so that being in it costs no memory and leaving it no search.
#pragma once

namespace mcptoken {

// A node of a ring; alone it is a ring of its own. It leaves its ring when it is destroyed. The head of a list is a node that
// stands for nothing: next() of it is the first, link_before() it makes the last.
class RingNode {
 public:
  RingNode() = default;
  RingNode(const RingNode&) = delete;
  RingNode& operator=(const RingNode&) = delete;

  RingNode* next() { return next_; }
  bool alone() const { return next_ == this; }
  // Must be alone.
  void link_before(RingNode& other) {
    previous_ = other.previous_;
    next_ = &other;
    previous_->next_ = other.previous_ = this;
  }
  void unlink() {
    previous_->next_ = next_;
    next_->previous_ = previous_;
    previous_ = next_ = this;
  }

 protected:
  ~RingNode() { unlink(); }

 private:
  RingNode* previous_ = this;
  RingNode* next_ = this;
};

// The head of a list.
struct Ring final : RingNode {};

}  // namespace mcptoken
