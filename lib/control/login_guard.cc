#include "control/login_guard.h"

#include <arpa/inet.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/limits.h"

namespace mcptoken::control {
namespace {

// Whoever has one IPv6 address has its whole /64.
std::string network_of(const std::string& address) {
  unsigned char bytes[16];
  if (inet_pton(AF_INET6, address.c_str(), bytes) != 1) return address;
  static constexpr unsigned char kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(std::begin(kMapped), std::end(kMapped), bytes)) return address;
  return to_hex(std::span<const uint8_t>(bytes, 8));
}

}  // namespace

const LoginGuard::Rule LoginGuard::kAccount = {limits::kLoginFailuresPerAccount, 30'000};
const LoginGuard::Rule LoginGuard::kAddress = {limits::kLoginFailuresPerAddress, 10'000};

int64_t LoginGuard::wait_ms(const Table& table, const std::string& key, const Rule& rule) const {
  const auto found = table.find(key);
  if (found == table.end()) return 0;
  return std::max<int64_t>(0, found->second - clock_.mono_ms() - (rule.burst - 1) * rule.interval_ms);
}

void LoginGuard::count(Table& table, const std::string& key, const Rule& rule) {
  const auto now = clock_.mono_ms();
  if (table.size() >= limits::kLoginKeys && !table.contains(key)) {
    std::erase_if(table, [now](const auto& one) { return one.second <= now; });
    // Still full: the one that would be forgotten first goes.
    if (table.size() >= limits::kLoginKeys)
      table.erase(std::min_element(table.begin(), table.end(),
                                   [](const auto& a, const auto& b) { return a.second < b.second; }));
  }
  auto& forgotten = table[key];
  forgotten = std::max(forgotten, now) + rule.interval_ms;
}

Result<void> LoginGuard::begin(const std::string& address, const std::string& account) {
  const auto network = network_of(address);
  const auto wait = std::max(wait_ms(accounts_, account, kAccount), wait_ms(addresses_, network, kAddress));
  if (wait > 0) {
    const auto seconds = std::to_string((wait + 999) / 1000);
    return fail(Error(Status::limit, "too many wrong passwords")
                    .with_code("rate_limited")
                    .with_http(429)
                    .with_hint("try again in " + seconds + " seconds")
                    .with_data(seconds));
  }
  count(accounts_, account, kAccount);
  count(addresses_, network, kAddress);
  return {};
}

void LoginGuard::succeeded(const std::string& address, const std::string& account) {
  accounts_.erase(account);
  // Not the whole address: a guesser with one account of his own would start anew with each login.
  const auto found = addresses_.find(network_of(address));
  if (found != addresses_.end()) found->second -= kAddress.interval_ms;
}

}  // namespace mcptoken::control
