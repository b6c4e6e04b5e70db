// The sealed part of a backup by itself.
#include "control/vault.h"

#include "unit/control/world.h"

using namespace mcptoken;
using namespace mcptoken::control;
using namespace mcptoken::control::testing;

namespace {

struct Sealed {
  Sealed() {
    must(crypto::init());
    key.cost = {1, 8 * 1024};
    key.key = must(crypto::password_key("the password", key.salt, key.cost));
    vault.secrets["s"].insert_or_assign("k", crypto::Secret("value\n\"\u00e4"));
    vault.passwords["a@example.org"] = "hash";
    sealed = must(seal_vault(vault, key, rest));
  }
  VaultKey key;
  Vault vault;
  Value rest = must(json::parse(R"({"objects":[{"a":1}]})"));
  Value sealed;
};

std::string message(const Result<Vault>& result) { return result ? "opened" : result.error().message; }

}  // namespace

TEST_CASE("a vault opens with its key and for its backup alone") {
  Sealed one;
  const auto opened = must(open_vault(one.sealed, one.key, one.rest));
  CHECK(opened.secrets.at("s").at("k").reveal() == "value\n\"\u00e4");
  CHECK(opened.passwords == one.vault.passwords);

  VaultKey other;
  other.key = must(crypto::password_key("the passwort", one.key.salt, one.key.cost));
  CHECK(message(open_vault(one.sealed, other, one.rest)) ==
        "password: is not that of the backup, or its sealed part was changed");
  const auto changed = must(json::parse(R"({"objects":[{"a":2}]})"));
  CHECK(message(open_vault(one.sealed, one.key, changed)) == "backup: was changed after it was made");
  // White space is no change, and neither is the spelling of a text.
  CHECK(open_vault(one.sealed, one.key, must(json::parse(" { \"obj\\u0065cts\" : [ {\"a\":1} ] } "))).has_value());
}

TEST_CASE("the price of a key is in the file, and bounded") {
  Sealed one;
  const auto lock = must(read_lock(one.sealed));
  CHECK(lock->salt == one.key.salt);
  CHECK(lock->cost.passes == 1);
  CHECK(lock->cost.memory_kib == 8 * 1024);
  for (const auto& [name, value] : std::vector<std::pair<std::string, Value>>{{"passes", Value::integer(17)},
                                                                              {"passes", Value::integer(0)},
                                                                              {"memoryKiB", Value::integer(1 << 20)},
                                                                              {"memoryKiB", Value::integer(1)},
                                                                              {"salt", Value::string("AAAA")},
                                                                              {"cipher", Value::string("none")},
                                                                              {"derivation", Value::string("sha256")},
                                                                              {"extra", Value::integer(1)},
                                                                              {"data", Value()}}) {
    CAPTURE(name);
    Value damaged = one.sealed;
    damaged.set(name, value);
    CHECK_FALSE(read_lock(damaged).has_value());
  }
  CHECK_FALSE(crypto::password_key("x", one.key.salt, {17, 64 * 1024}).has_value());
  CHECK_FALSE(crypto::password_key("x", one.key.salt, {1, 512 * 1024}).has_value());
}

TEST_CASE("every changed byte of the sealed data is refused") {
  Sealed one;
  const auto text = one.sealed.text("data");
  for (size_t i = 0; i < text.size(); i += 7) {
    auto copy = text;
    copy[i] = copy[i] == 'A' ? 'B' : 'A';
    Value damaged = one.sealed;
    damaged.set("data", Value::string(copy));
    CHECK_FALSE(open_vault(damaged, one.key, one.rest).has_value());
  }
}
