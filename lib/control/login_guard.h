// How many wrong passwords are heard before somebody has to wait: per account, so that one is not guessed from many
// addresses, and per address, so that many are not guessed from one.
#pragma once

#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "base/result.h"

namespace mcptoken::control {

// On the store's thread alone. Unknown accounts count like known ones: the answers tell nothing about who exists.
class LoginGuard {
 public:
  explicit LoginGuard(const Clock& clock) : clock_(clock) {}

  // Counts an attempt as failed until it has succeeded, so that attempts at the same time count, too. limit (429) with
  // the seconds to wait; then nothing is counted, and no password may be checked.
  Result<void> begin(const std::string& address, const std::string& account);
  void succeeded(const std::string& address, const std::string& account);

 private:
  struct Rule {
    int64_t burst;        // failures in a row
    int64_t interval_ms;  // after which one more is forgotten
  };
  // When the last counted failure will be forgotten: everything that has to be known of a key.
  using Table = std::unordered_map<std::string, int64_t>;
  int64_t wait_ms(const Table& table, const std::string& key, const Rule& rule) const;
  void count(Table& table, const std::string& key, const Rule& rule);

  static const Rule kAccount, kAddress;
  const Clock& clock_;
  Table accounts_, addresses_;
};

}  // namespace mcptoken::control
