// Single flight: many askers, one piece of work. An asker that gives up does not end the work for the others.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "loop/task.h"

namespace mcptoken::loop {

class Flight {
 public:
  bool running() const { return running_; }

  // Starts one in `owner` (which must outlive it) unless one is under way.
  void begin(Group& owner, Function<Task<Result<void>>()> start) {
    if (std::exchange(running_, true)) return;
    auto task = start();
    owner.spawn(std::move(task), [this](Result<void> result) {
      // Waiters may destroy this object: everything needed is on the stack before the first is resumed.
      running_ = false;
      auto waiting = std::exchange(waiting_, {});
      for (auto& one : waiting) one->resolve(result);
    });
  }

  // Joins the flight under way, or starts one. The answer is the flight's.
  Task<Result<void>> join(Group& owner, Function<Task<Result<void>>()> start, Scope& scope) {
    auto done = std::make_shared<Completion<void>>();
    waiting_.push_back(done);
    begin(owner, std::move(start));
    auto result = co_await done->wait(scope);
    co_return result;
  }

 private:
  bool running_ = false;
  std::vector<std::shared_ptr<Completion<void>>> waiting_;
};

}  // namespace mcptoken::loop
