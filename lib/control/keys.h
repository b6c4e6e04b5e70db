// The master key of a data directory and the sub-keys that come from it.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/crypto.h"

namespace mcptoken::store {
class Tx;
}

namespace mcptoken::control {

struct KeyOptions {
  KeyOptions() = default;
  std::string data_dir;  // the key is <data_dir>/keys/master.key unless key_file is given
  std::string key_file;
  bool database_exists = false;  // an existing database without its key refuses to start
};

constexpr std::string_view kKeyMark = "key_mark";  // setting of the store that holds Keys::mark() in hex

// Wipes its keys on release. Shareable once made.
class Keys {
 public:
  // Reads the key, or makes it (32 random bytes, 0600, never over an existing file) for a new database. Errors:
  // unavailable (database without key), corrupt (wrong size), denied (readable by others, or not a plain file), io.
  static Result<Keys> open(const KeyOptions& options);
  static Keys from_master(const crypto::Key& master);

  Keys(Keys&& other) noexcept;
  Keys& operator=(Keys&&) = delete;
  ~Keys();

  const crypto::Key& secrets() const { return secrets_; }  // values of secrets at rest
  const crypto::Key& audit() const { return audit_; }      // the audit chain
  const crypto::Key& watch() const { return watch_; }      // ids and tickets of the changes feed
  // By which a database knows its own key; tells nothing else about it.
  const crypto::Key& mark() const { return mark_; }

 private:
  Keys() = default;
  crypto::Key secrets_{}, audit_{}, watch_{}, mark_{};
};

// denied: the database was made with another key. A new one takes this key for its own.
Result<void> check_key(store::Tx& tx, const Keys& keys);

}  // namespace mcptoken::control
