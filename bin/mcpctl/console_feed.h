// News for the console, fetched by a thread of its own.
#pragma once
#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "console.h"
#include "settings.h"

namespace mcpctl {

class ConsoleFeed {
 public:
  // Live: the stream of traffic. Audit: the last events of the record, then what comes.
  ConsoleFeed(const Settings& settings, bool audit);
  ~ConsoleFeed();

  struct News {
    std::vector<ConsoleEntry> entries;
    std::string status;
    bool connected = false, changed = false;
  };
  // What has come since the last call.
  News take();

 private:
  void run_live();
  void run_audit();
  void follow_traffic();
  Result<bool> fetch_audit(class Api& api);
  void tell(const std::string& status, bool connected);
  void tell(const Failure& failure);
  void give(std::vector<ConsoleEntry> entries);
  bool pause(int64_t ms);

  const Settings settings_;
  std::atomic<bool> ended_{false};
  int64_t last_seq_ = 0;  // the thread's own
  std::mutex mutex_;
  News news_;
  std::thread thread_;  // last
};

}  // namespace mcpctl
