// A session of HTTP+SSE (2024-11-05) that the proxy serves: what the endpoint says waits here for the client's stream.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "conversation.h"

namespace mcpctl {

// Thread-safety: safe.
class SseSession {
 public:
  explicit SseSession(Endpoint& endpoint);

  void take(const std::string& message) { conversation_.take(message); }
  // The next event's text; "" when none came within the time.
  std::string next(int64_t timeout_ms);
  // More waits than may: its client does not read.
  bool overflown() const { return overflown_; }

 private:
  void push(const std::string& message);

  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<std::string> events_;
  size_t bytes_ = 0;
  std::atomic<bool> overflown_{false};
  Conversation conversation_;  // last: its threads use all above
};
using SsePtr = std::shared_ptr<SseSession>;

}  // namespace mcpctl
