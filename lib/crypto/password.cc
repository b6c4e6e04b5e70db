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

// A constant is unguessable too: finding a password for it means inverting argon2id.
const std::string& dummy_password_hash() {
  static const std::string hash = phc(Salt{}, sha256("no password has this hash"));
  return hash;
}

}  // namespace mcptoken::crypto
