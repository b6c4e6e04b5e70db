// A line for each request on standard output, as JSON or as text. Loops put their lines into rings of their own; a
// thread writes them, so that nobody who reads slowly holds up a request. When a ring is full its lines are dropped,
// and a line says how many.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <mcptoken/service.h>

namespace mcpd {

enum class AccessFormat : uint8_t { text, json };

// The line, without its end. `time`: RFC 3339 in UTC, with milliseconds.
std::string access_line(AccessFormat format, std::string_view time, const mcptoken_access& access);

class AccessLog {
 public:
  AccessLog(AccessFormat format, int fd);
  ~AccessLog();  // writes what is left, for a second at most
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  // Any thread, each with a ring of its own from its first call on.
  void write(const mcptoken_access& access) noexcept;
  // A request whose form was refused, before the service saw it.
  void write_refusal(std::string_view client_address, int32_t status) noexcept;
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kLines = 4096;  // of one ring, a power of two
  // Single producer, single consumer.
  struct Ring {
    std::vector<std::string> lines = std::vector<std::string>(kLines);
    std::atomic<size_t> head{0}, tail{0};
  };
  Ring& own_ring();
  void push(std::string line);
  void run();
  bool drain();
  bool put_out(std::string_view text);

  const AccessFormat format_;
  const int fd_;
  const uint64_t id_;  // tells the rings of a thread apart
  int wake_fd_;
  std::mutex mutex_;  // of the list, for a thread's first line
  std::vector<std::unique_ptr<Ring>> rings_;
  std::atomic<bool> asleep_{false};
  std::atomic<bool> closing_{false};
  std::atomic<uint64_t> dropped_{0};
  uint64_t told_dropped_ = 0;
  std::thread thread_;  // last: it uses everything above
};

}  // namespace mcpd
