#include "sse_session.h"

#include <chrono>

namespace mcpctl {
namespace {

constexpr size_t kMostWaitingBytes = size_t{16} << 20;

}  // namespace

SseSession::SseSession(Endpoint& endpoint)
    : conversation_(endpoint, [this](const std::string& message) { push(message); }) {}

std::string SseSession::next(int64_t timeout_ms) {
  std::unique_lock<std::mutex> lock(mutex_);
  came_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [this] { return !events_.empty(); });
  if (events_.empty()) return {};
  std::string event = std::move(events_.front());
  events_.pop_front();
  bytes_ -= event.size();
  return event;
}

void SseSession::push(const std::string& message) {
  const std::lock_guard<std::mutex> lock(mutex_);
  events_.push_back("event: message\ndata: " + message + "\n\n");
  bytes_ += events_.back().size();
  if (bytes_ > kMostWaitingBytes) overflown_ = true;
  came_.notify_all();
}

}  // namespace mcpctl
