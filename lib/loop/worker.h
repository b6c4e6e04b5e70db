// One thread for work that would hold up a loop and is not the store's: hashing passwords, files. One job at a time, bounded queue.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "base/function.h"

namespace mcptoken::loop {

class Worker {
 public:
  explicit Worker(size_t capacity) : capacity_(capacity), thread_([this] { run(); }) {}
  ~Worker();  // finishes what is queued
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Any thread. False: the queue is full.
  [[nodiscard]] bool submit(Function<void()> job);

 private:
  void run();
  const size_t capacity_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Function<void()>> jobs_;
  bool closing_ = false;
  std::thread thread_;  // last: it uses everything above
};

}  // namespace mcptoken::loop
