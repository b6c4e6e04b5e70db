// The sealed part of a backup: what may be read with its password alone.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "control/control.h"
#include "control/runner.h"

namespace mcptoken::control {

// A key from a password: what it was made with is in the file, the key is not.
struct VaultKey {
  crypto::PasswordSalt salt{};
  crypto::PasswordCost cost;
  crypto::Key key{};

  VaultKey() = default;
  VaultKey(const VaultKey&) = delete;
  VaultKey& operator=(const VaultKey&) = delete;
  ~VaultKey() { crypto::wipe(key.data(), key.size()); }
};

struct Vault {
  std::map<std::string, std::map<std::string, crypto::Secret>> secrets;  // name, key, value
  std::map<std::string, std::string> passwords;                          // e-mail address, PHC string
};

// Fills in the key, on the hasher's thread.
loop::Task<Result<void>> derive(Runner& runner, std::shared_ptr<VaultKey> key, crypto::Secret password);

// `rest` is the backup without its sealed part, which is good for no other.
Result<json::Value> seal_vault(const Vault& vault, const VaultKey& key, const json::Value& rest);
// Salt and price of the key, with which it can be derived. invalid: not a sealed part as this server makes them.
Result<std::shared_ptr<VaultKey>> read_lock(const json::Value& sealed);
// invalid: the password is wrong, or `rest` is not what was sealed.
Result<Vault> open_vault(const json::Value& sealed, const VaultKey& key, const json::Value& rest);

}  // namespace mcptoken::control
