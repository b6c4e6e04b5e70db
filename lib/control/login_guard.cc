#include "control/login_guard.h"

#include <algorithm>

#include "base/limits.h"

namespace mcptoken::control {
namespace {

std::string at(const std::string& network, const std::string& account) { return network + "\n" + account; }

}  // namespace

LoginGuard::LoginGuard(const Clock& clock)
    : accounts_(clock, {limits::kLoginFailuresPerAccount, 30'000, limits::kLoginKeys}),
      addresses_(clock, {limits::kLoginFailuresPerAddress, 10'000, limits::kLoginKeys}) {}

std::string LoginGuard::account_key(const std::string& network, const std::string& account) {
  return proven_.contains(at(network, account)) ? at(network, account) : account;
}

Result<void> LoginGuard::begin(const std::string& address, const std::string& account) {
  const auto network = network_of(address);
  const auto key = account_key(network, account);
  const auto wait = std::max(accounts_.wait_ms(key), addresses_.wait_ms(network));
  if (wait > 0) return fail(rate_limited("too many wrong passwords", wait));
  accounts_.count(key);
  addresses_.count(network);
  return {};
}

void LoginGuard::succeeded(const std::string& address, const std::string& account) {
  const auto network = network_of(address);
  accounts_.forget(account_key(network, account));
  if (proven_.size() >= limits::kLoginKeys) proven_.clear();  // they log in again
  proven_.insert(at(network, account));
  // Not the whole address: a guesser with one account of his own would start anew with each login.
  addresses_.take_back(network);
}

void LoginGuard::take_back(const std::string& address, const std::string& account) {
  const auto network = network_of(address);
  accounts_.take_back(account_key(network, account));
  addresses_.take_back(network);
}

}  // namespace mcptoken::control
