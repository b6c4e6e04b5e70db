#include "control/login_guard.h"

#include <algorithm>

#include "base/limits.h"

namespace mcptoken::control {

LoginGuard::LoginGuard(const Clock& clock)
    : accounts_(clock, {limits::kLoginFailuresPerAccount, 30'000, limits::kLoginKeys}),
      addresses_(clock, {limits::kLoginFailuresPerAddress, 10'000, limits::kLoginKeys}) {}

Result<void> LoginGuard::begin(const std::string& address, const std::string& account) {
  const auto network = network_of(address);
  const auto wait = std::max(accounts_.wait_ms(account), addresses_.wait_ms(network));
  if (wait > 0) return fail(rate_limited("too many wrong passwords", wait));
  accounts_.count(account);
  addresses_.count(network);
  return {};
}

void LoginGuard::succeeded(const std::string& address, const std::string& account) {
  accounts_.forget(account);
  // Not the whole address: a guesser with one account of his own would start anew with each login.
  addresses_.take_back(network_of(address));
}

void LoginGuard::take_back(const std::string& address, const std::string& account) {
  accounts_.take_back(account);
  addresses_.take_back(network_of(address));
}

}  // namespace mcptoken::control
