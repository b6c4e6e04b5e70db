#include "crypto/crypto.h"

#include <doctest/doctest.h>

#include "base/bytes.h"

using namespace mcptoken;
using namespace mcptoken::crypto;

TEST_CASE("init can be repeated") {
  CHECK(init());
  CHECK(init());
}

TEST_CASE("SHA-256: the examples of FIPS 180-4, whole and in pieces") {
  const std::string abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  CHECK(to_hex(sha256("abc")) == abc);
  CHECK(to_hex(sha256("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(to_hex(Sha256().update("a").update("").update("bc").finish()) == abc);
  std::string text(1000, 'x');
  for (size_t cut : {0u, 1u, 63u, 64u, 65u, 999u}) {
    CHECK(Sha256().update(text.substr(0, cut)).update(text.substr(cut)).finish() == sha256(text));
  }
}

TEST_CASE("SHA-256 leaves nothing of what it read where it was computed") {
  const std::string secret = "mcpctl_pat_secret";
  Sha256 hash;
  const std::string_view state(reinterpret_cast<const char*>(&hash), sizeof hash);
  hash.update(secret);
  REQUIRE(state.find(secret) != state.npos);
  hash.finish();
  CHECK(state.find(secret) == state.npos);
}

TEST_CASE("BLAKE2b with 32 bytes, plain and keyed, as Python's hashlib computes it") {
  CHECK(to_hex(blake2b("abc")) == "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
  CHECK(to_hex(blake2b("")) == "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
  CHECK(to_hex(mac(as_bytes("Jefe"), "what do ya want for nothing?")) ==
        "44a4b7e70bb4dcf7416a764ddbc4485238283605dd7781dc1ea7e1ce22707834");
  const std::string key(64, '\xaa'), longer(131, '\xaa');
  CHECK(to_hex(mac(as_bytes(key), std::string(300, 'x'))) == "299f82f9f28f57696f559b5db577db3e9b60903937b8a5b54a32c43cb93fc8d7");
  CHECK(mac(as_bytes(longer), "x") == mac(blake2b(longer), "x"));
  CHECK(derive_key("Jefe", "what do ya want for nothing?") == mac(as_bytes("Jefe"), "what do ya want for nothing?"));
}

TEST_CASE("sub-keys differ by number, context and master") {
  Key master{};
  Key other{1};
  CHECK(subkey(master, 1, "secrets_") == subkey(master, 1, "secrets_"));
  CHECK(subkey(master, 1, "secrets_") != subkey(master, 2, "secrets_"));
  CHECK(subkey(master, 1, "secrets_") != subkey(master, 1, "audit___"));
  CHECK(subkey(master, 1, "secrets_") != subkey(other, 1, "secrets_"));
}

TEST_CASE("sealed text opens only unchanged, with its key and its associated data") {
  Key key{1}, other_key{2};
  for (std::string_view plain :
       {std::string_view(""), std::string_view("x\0y", 3), std::string_view("some longer text")}) {
    auto sealed = seal(key, plain, "label");
    REQUIRE(sealed);
    CHECK(sealed->size() == plain.size() + kSealOverhead);
    CHECK(open(key, *sealed, "label") == std::string(plain));
    CHECK(seal(key, plain, "label") != *sealed);  // a fresh nonce each time
    CHECK(open(other_key, *sealed, "label").error().status == Status::corrupt);
    CHECK(open(key, *sealed, "labe1").error().status == Status::corrupt);
    CHECK(open(key, *sealed, "").error().status == Status::corrupt);
    for (size_t i = 0; i < sealed->size(); ++i) {
      std::string changed = *sealed;
      changed[i] = static_cast<char>(changed[i] ^ 1);
      CHECK_FALSE(open(key, changed, "label"));
      CHECK_FALSE(open(key, std::string_view(*sealed).substr(0, i), "label"));
    }
    CHECK_FALSE(open(key, *sealed + "x", "label"));
  }
}
