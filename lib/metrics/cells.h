// Start here. lib/metrics counts what happens, and writes it down for Prometheus.
//   cells.h   numbers that one thread changes and any thread may read
//   series.h  the same with labels, of which there are never more than a limit
//   text.h    the text format
//
// Each loop has its own numbers, so that counting takes no lock and no line of another core's cache; whoever asks adds
// them up. What is read while it changes is from a moment ago, cell by cell: sums are never torn, and counters never go
// back.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace mcptoken::metrics {

// Written by one thread.
class Counter {
 public:
  void add(uint64_t by = 1) { value_.store(value_.load(std::memory_order_relaxed) + by, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// Written by one thread.
class Gauge {
 public:
  void set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  void add(int64_t by) { set(value() + by); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

// Seconds. Those from 10 ms on are what OpenTelemetry's conventions for MCP want; a gateway is faster than that.
inline constexpr std::array kBounds = {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1,   0.2,  0.5,
                                       1.0,   2.0,   5.0,   10.0, 30.0, 60.0, 120.0, 300.0};

// Durations. Written by one thread.
class Histogram {
 public:
  void observe(int64_t ns) {
    const double seconds = static_cast<double>(ns) / 1e9;
    const auto at = std::lower_bound(kBounds.begin(), kBounds.end(), seconds) - kBounds.begin();
    counts_[static_cast<size_t>(at)].add();
    sum_ns_.add(static_cast<uint64_t>(std::max<int64_t>(ns, 0)));
  }

 private:
  friend struct Distribution;
  std::array<Counter, kBounds.size() + 1> counts_;  // the last: longer than all bounds
  Counter sum_ns_;
};

// What several histograms have in all.
struct Distribution {
  std::array<uint64_t, kBounds.size() + 1> counts{};
  uint64_t sum_ns = 0;
  void add(const Histogram& other) {
    for (size_t i = 0; i < counts.size(); ++i)
      counts[i] += other.counts_[i].value();
    sum_ns += other.sum_ns_.value();
  }
};

// Monotonic, for durations that are shorter than a loop's own clock can tell.
inline int64_t now_ns() {
  using namespace std::chrono;
  return duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
}

}  // namespace mcptoken::metrics
