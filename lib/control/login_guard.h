// How many wrong passwords are heard before somebody has to wait: per account, so that one is not guessed from many
// addresses, and per address, so that many are not guessed from one. An account counts by itself at a network where its owner has
// logged in before: who guesses elsewhere does not keep him out.
#pragma once

#include <string>
#include <unordered_set>

#include "control/failure_limit.h"

namespace mcptoken::control {

// On the store's thread alone. Unknown accounts count like known ones: the answers tell nothing about who exists.
class LoginGuard {
 public:
  explicit LoginGuard(const Clock& clock);

  // Counts an attempt as failed until it has succeeded, so that attempts at the same time count, too. limit (429) with
  // the seconds to wait; then nothing is counted, and no password may be checked.
  Result<void> begin(const std::string& address, const std::string& account);
  void succeeded(const std::string& address, const std::string& account);
  // An attempt whose password nobody has looked at is none.
  void take_back(const std::string& address, const std::string& account);

 private:
  std::string account_key(const std::string& network, const std::string& account);

  FailureLimit accounts_, addresses_;
  std::unordered_set<std::string> proven_;  // network and account of those who have logged in
};

}  // namespace mcptoken::control
