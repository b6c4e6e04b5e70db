#include "crypto/crypto.h"

#include <nettle/sha2.h>
#include <sodium.h>

#include <new>

#include "base/bytes.h"

namespace mcptoken::crypto {
namespace {

constexpr size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
static_assert(kSealOverhead == kNonceBytes + kTagBytes);
static_assert(sizeof(Key) == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
static_assert(sizeof(Key) == crypto_kdf_KEYBYTES);
static_assert(sizeof(Digest) == SHA256_DIGEST_SIZE);
static_assert(sizeof(Digest) >= crypto_generichash_blake2b_BYTES_MIN);

const uint8_t* bytes_of(std::string_view text) { return reinterpret_cast<const uint8_t*>(text.data()); }
uint8_t* bytes_of(std::string& text) { return reinterpret_cast<uint8_t*>(text.data()); }

sha256_ctx* state_of(std::array<uint8_t, 128>& storage) {
  return std::launder(reinterpret_cast<sha256_ctx*>(storage.data()));
}

}  // namespace

Result<void> init() {
  if (sodium_init() < 0) return fail(Status::internal, "libsodium could not be initialised");
  return {};
}

Digest sha256(std::string_view data) { return Sha256().update(data).finish(); }

Sha256::Sha256() {
  static_assert(sizeof(sha256_ctx) <= sizeof(state_));
  static_assert(alignof(sha256_ctx) <= 16);
  sha256_init(new (state_.data()) sha256_ctx);
}

Sha256& Sha256::update(std::string_view data) {
  sha256_update(state_of(state_), data.size(), bytes_of(data));
  return *this;
}

Digest Sha256::finish() {
  Digest digest;
  sha256_digest(state_of(state_), digest.size(), digest.data());
  wipe(state_.data(), state_.size());  // nettle leaves the last block, which may be a bearer, where it was
  return digest;
}

Digest blake2b(std::string_view data) { return mac({}, data); }

Digest mac(std::span<const uint8_t> key, std::string_view data) {
  Digest digest, short_key;
  if (key.size() > crypto_generichash_blake2b_KEYBYTES_MAX) {
    short_key = blake2b(as_text(key));
    key = short_key;
  }
  crypto_generichash_blake2b(digest.data(), digest.size(), bytes_of(data), data.size(), key.data(), key.size());
  return digest;
}

Key derive_key(std::string_view key, std::string_view label) { return mac(as_bytes(key), label); }

Key subkey(const Key& master, uint64_t number, const char (&context)[9]) {
  static_assert(crypto_kdf_CONTEXTBYTES == 8);
  Key key;
  crypto_kdf_derive_from_key(key.data(), key.size(), number, context, master.data());
  return key;
}

Result<std::string> seal(const Key& key, std::string_view plain, std::string_view associated) {
  std::array<uint8_t, kNonceBytes> nonce;
  MCPT_CHECK(random_bytes(nonce));
  std::string sealed(plain.size() + kSealOverhead, '\0');
  sealed.replace(0, kNonceBytes, as_text(nonce));
  crypto_aead_xchacha20poly1305_ietf_encrypt(bytes_of(sealed) + kNonceBytes, nullptr, bytes_of(plain), plain.size(),
                                             bytes_of(associated), associated.size(), nullptr, nonce.data(),
                                             key.data());
  return sealed;
}

Result<std::string> open(const Key& key, std::string_view sealed, std::string_view associated) {
  static constexpr char kCorrupt[] = "sealed data was changed or belongs elsewhere";
  if (sealed.size() < kSealOverhead) return fail(Status::corrupt, kCorrupt);
  std::string plain(sealed.size() - kSealOverhead, '\0');
  std::string_view cipher = sealed.substr(kNonceBytes);
  int result =
      crypto_aead_xchacha20poly1305_ietf_decrypt(bytes_of(plain), nullptr, nullptr, bytes_of(cipher), cipher.size(),
                                                 bytes_of(associated), associated.size(), bytes_of(sealed), key.data());
  if (result != 0) return fail(Status::corrupt, kCorrupt);
  return plain;
}

}  // namespace mcptoken::crypto
