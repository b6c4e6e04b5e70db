#include <sodium.h>

#include <string>

#include "base/bytes.h"
#include "crypto/crypto.h"

namespace mcptoken::crypto {
namespace {

constexpr auto kPasses = crypto_pwhash_argon2id_OPSLIMIT_INTERACTIVE;
constexpr auto kMemoryBytes = crypto_pwhash_argon2id_MEMLIMIT_INTERACTIVE;
using Salt = std::array<uint8_t, crypto_pwhash_argon2id_SALTBYTES>;

std::string base64_unpadded(std::span<const uint8_t> bytes) {
  std::string text(sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_ORIGINAL_NO_PADDING), '\0');
  sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(), sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
  text.pop_back();  // the terminating NUL
  return text;
}

std::string phc(const Salt& salt, const Digest& hash) {
  return "$argon2id$v=19$m=" + std::to_string(kMemoryBytes / 1024) + ",t=" + std::to_string(kPasses) + ",p=1$" +
         base64_unpadded(salt) + "$" + base64_unpadded(hash);
}

}  // namespace

// Not crypto_pwhash_str: that draws its salt from libsodium's own generator, which ends the process when it fails.
Result<std::string> hash_password(std::string_view password) {
  Salt salt;
  MCPT_CHECK(random_bytes(salt));
  Digest hash;
  if (crypto_pwhash(hash.data(), hash.size(), password.data(), password.size(), salt.data(), kPasses, kMemoryBytes,
                    crypto_pwhash_ALG_ARGON2ID13) != 0) {
    return fail(Status::no_memory, "not enough memory to hash a password");
  }
  return phc(salt, hash);
}

bool verify_password(std::string_view phc_in, std::string_view password) {
  if (phc_in.size() >= crypto_pwhash_STRBYTES) return false;
  std::string terminated(phc_in);
  return crypto_pwhash_str_verify(terminated.c_str(), password.data(), password.size()) == 0;
}

namespace {

bool is_affordable(int64_t passes, int64_t memory_kib) {
  return passes >= 1 && passes <= 16 && memory_kib >= 8 * 1024 && memory_kib <= 256 * 1024;
}

// The decimal behind `name`, as in "m=65536,".
int64_t parameter(std::string_view phc, std::string_view name) {
  const auto at = phc.find(name);
  if (at == phc.npos) return -1;
  const auto rest = phc.substr(at + name.size());
  return parse_decimal(rest.substr(0, rest.find_first_of(",$"))).value_or(-1);
}

}  // namespace

bool is_password_hash(std::string_view phc_in) {
  if (phc_in.size() >= crypto_pwhash_STRBYTES || !phc_in.starts_with("$argon2id$v=19$m=")) return false;
  if (!is_affordable(parameter(phc_in, ",t="), parameter(phc_in, "$m="))) return false;
  const std::string terminated(phc_in);
  // Reads all of the text: -1 when it is not well-formed.
  return crypto_pwhash_argon2id_str_needs_rehash(terminated.c_str(), kPasses, kMemoryBytes) >= 0;
}

Result<Key> password_key(std::string_view password, const PasswordSalt& salt, const PasswordCost& cost) {
  if (!is_affordable(cost.passes, cost.memory_kib))
    return fail(Status::invalid, "the price of a key must be 1 to 16 passes and 8 to 256 MiB");
  Key key;
  if (crypto_pwhash(key.data(), key.size(), password.data(), password.size(), salt.data(),
                    static_cast<unsigned long long>(cost.passes), static_cast<size_t>(cost.memory_kib) * 1024,
                    crypto_pwhash_ALG_ARGON2ID13) != 0) {
    return fail(Status::no_memory, "not enough memory to derive a key");
  }
  return key;
}

// A constant is unguessable too: finding a password for it means inverting argon2id.
const std::string& dummy_password_hash() {
  static const std::string hash = phc(Salt{}, sha256("no password has this hash"));
  return hash;
}

}  // namespace mcptoken::crypto
