#include "control/failure_limit.h"

#include <arpa/inet.h>

#include <algorithm>

#include "base/bytes.h"

namespace mcptoken::control {

int64_t FailureLimit::wait_ms(const std::string& key) const {
  const auto found = forgotten_ms_.find(key);
  if (found == forgotten_ms_.end()) return 0;
  return std::max<int64_t>(0, found->second - clock_.mono_ms() - (rule_.burst - 1) * rule_.interval_ms);
}

void FailureLimit::add(const std::string& key, int64_t failures) {
  const auto now = clock_.mono_ms();
  if (forgotten_ms_.size() >= rule_.keys && !forgotten_ms_.contains(key)) {
    std::erase_if(forgotten_ms_, [now](const auto& one) { return one.second <= now; });
    // Still full: the one that would be forgotten first goes.
    if (forgotten_ms_.size() >= rule_.keys)
      forgotten_ms_.erase(std::min_element(forgotten_ms_.begin(), forgotten_ms_.end(),
                                           [](const auto& a, const auto& b) { return a.second < b.second; }));
  }
  auto& forgotten = forgotten_ms_[key];
  forgotten = std::max(forgotten, now) + failures * rule_.interval_ms;
}

void FailureLimit::take_back(const std::string& key) {
  const auto found = forgotten_ms_.find(key);
  if (found != forgotten_ms_.end()) found->second -= rule_.interval_ms;
}

void FailureLimit::forget(const std::string& key) { forgotten_ms_.erase(key); }

std::string network_of(const std::string& address) {
  unsigned char bytes[16];
  if (inet_pton(AF_INET6, address.c_str(), bytes) != 1) return address;
  static constexpr unsigned char kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(std::begin(kMapped), std::end(kMapped), bytes)) return address;
  return to_hex(std::span<const uint8_t>(bytes, 8));
}

Error rate_limited(std::string why, int64_t wait_ms) {
  const auto seconds = std::to_string((wait_ms + 999) / 1000);
  return Error(Status::limit, std::move(why))
      .with_code("rate_limited")
      .with_http(429)
      .with_hint("try again in " + seconds + " seconds")
      .with_data(seconds);
}

}  // namespace mcptoken::control
