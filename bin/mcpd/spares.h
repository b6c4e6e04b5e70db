// Objects whose memory outlives the request that they served: what one gives back the next one takes.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace mcpd {

template <class T>  // with recycle(), which forgets the request and keeps moderate memory
class Spares {
 public:
  std::unique_ptr<T> take() {
    if (kept_.empty()) return std::make_unique<T>();
    auto one = std::move(kept_.back());
    kept_.pop_back();
    return one;
  }
  void give(std::unique_ptr<T> one) {
    if (kept_.size() >= kMost) return;
    one->recycle();
    kept_.push_back(std::move(one));
  }

 private:
  static constexpr size_t kMost = 64;
  std::vector<std::unique_ptr<T>> kept_;
};

}  // namespace mcpd
