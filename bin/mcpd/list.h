// Lists through members of the listed objects: no allocation, removal without a search, and an object that dies leaves
// its lists by itself. One object may be in one list per tag.
#pragma once

namespace mcpd {

template <class Tag>
class Link {
 public:
  Link() = default;
  ~Link() { unlink(); }
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  void unlink() {
    prev_->next_ = next_;
    next_->prev_ = prev_;
    prev_ = next_ = this;
  }
  bool linked() const { return next_ != this; }

 private:
  template <class T, class Other>
  friend class List;
  Link* prev_ = this;
  Link* next_ = this;
};

template <class T, class Tag>
class List {
 public:
  bool empty() const { return !root_.linked(); }
  void push_back(T& item) {
    Link<Tag>& link = item;
    link.unlink();
    link.prev_ = root_.prev_;
    link.next_ = &root_;
    root_.prev_->next_ = &link;
    root_.prev_ = &link;
  }
  T* front() { return empty() ? nullptr : static_cast<T*>(root_.next_); }
  T* pop_front() {
    T* item = front();
    if (item) static_cast<Link<Tag>*>(item)->unlink();
    return item;
  }
  // The visitor may remove or destroy the object that it is given, no other.
  template <class Visitor>
  void for_each(Visitor&& visitor) {
    for (Link<Tag>*link = root_.next_, *next; link != &root_; link = next) {
      next = link->next_;
      visitor(*static_cast<T*>(link));
    }
  }

 private:
  Link<Tag> root_;
};

}  // namespace mcpd
