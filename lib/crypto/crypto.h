// Random numbers, hashes, authenticated encryption, key derivation and password hashing, each under its standard name.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/secret.h"

namespace mcptoken::crypto {

using Digest = std::array<uint8_t, 32>;
using Key = std::array<uint8_t, 32>;

// Must have succeeded once before any other function here; thread-safe and idempotent.
Result<void> init();

// From getrandom(2); a failure or a short read is an error, there is no fallback generator.
Result<void> random_bytes(std::span<uint8_t> out);
Result<std::string> random_id();  // 20 characters of [a-z0-9], about 103 bits: object ids, request ids

Digest sha256(std::string_view data);
class Sha256 {  // streaming; update() and finish() are not called again after finish()
 public:
  Sha256();
  Sha256& update(std::string_view data);
  Digest finish();

 private:
  alignas(16) std::array<uint8_t, 128> state_;
};
// BLAKE2b with 32 bytes (RFC 7693): where the choice is ours, for it costs a third of SHA-256.
Digest blake2b(std::string_view data);
// The same with a key, which makes it a MAC; a key of more than 64 bytes is hashed first.
Digest mac(std::span<const uint8_t> key, std::string_view data);
// mac(key bytes, label): sub-keys of a bearer.
Key derive_key(std::string_view key, std::string_view label);
// crypto_kdf: numbered sub-keys of the master key; context is a literal of exactly 8 characters.
Key subkey(const Key& master, uint64_t number, const char (&context)[9]);

// XChaCha20-Poly1305; the result is nonce || ciphertext || tag (40 bytes longer than the plain text).
Result<std::string> seal(const Key& key, std::string_view plain, std::string_view associated);
// Status::corrupt when anything was changed, or the key or associated data differ.
Result<std::string> open(const Key& key, std::string_view sealed, std::string_view associated);
inline constexpr size_t kSealOverhead = 40;

// argon2id, interactive parameters, in PHC string form. About 60 ms and 64 MiB: never on a loop.
Result<std::string> hash_password(std::string_view password);
// Whether it is the form that hash_password makes, at a price that verify_password may be asked to pay.
bool is_password_hash(std::string_view phc);
bool verify_password(std::string_view phc, std::string_view password);
// A valid hash of an unguessable password: unknown users cost the same time.
const std::string& dummy_password_hash();

// The price of one guess at a password that protects a file. The defaults are twice the passes of a login and its memory:
// 120 ms, and the server's peak does not grow.
struct PasswordCost {
  int64_t passes = 4;
  int64_t memory_kib = 64 * 1024;
};
using PasswordSalt = std::array<uint8_t, 16>;
// argon2id; never on a loop. invalid: a price outside of 1 to 16 passes and 8 to 256 MiB.
Result<Key> password_key(std::string_view password, const PasswordSalt& salt, const PasswordCost& cost);

}  // namespace mcptoken::crypto
