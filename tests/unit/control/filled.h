// A world with one object of every kind, each with all of its fields, and what is asked of backups.
#pragma once

#include "unit/control/world.h"

namespace mcptoken::control::testing {

inline constexpr auto kSecretValue = "planted-secret-value";
inline constexpr auto kBackupPassword = "a password of a backup";

class Filled : public World {
 public:
  explicit Filled(uint8_t key = 7) : World({}, key) {}
  // Everything there is, made as `root`.
  void fill();
  rbac::Principal root = admin();
  std::string raw;      // of the token that lives
  std::string revoked;  // of one that does not
};

// The answer of POST backup, which must succeed.
Value backup_of(World& world, const rbac::Principal& who, const std::string& password = {});
// Of POST restore; `options` as in R"("conflict":"skip")".
Reply restore(World& world, const rbac::Principal& who, const Value& backup, const std::string& options = {});
// "kind/name effect" or "kind/name effect (reason)" of the report's item.
std::string item(const Reply& reply, const std::string& name);
// The object in a backup, or nullptr.
const Value* object_in(const Value& backup, const std::string& kind, const std::string& name);
Value* object_in(Value& backup, const std::string& kind, const std::string& name);
// What is in the backup but for the test's own administrator.
std::string contents(const Value& backup);
int64_t count(const Reply& reply, const std::string& effect);

}  // namespace mcptoken::control::testing
