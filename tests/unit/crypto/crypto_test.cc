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

TEST_CASE("HMAC-SHA-256: RFC 4231 cases 2 and 6") {
  CHECK(to_hex(hmac_sha256(as_bytes("Jefe"), "what do ya want for nothing?")) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  std::string long_key(131, '\xaa');
  CHECK(to_hex(hmac_sha256(as_bytes(long_key), "Test Using Larger Than Block-Size Key - Hash Key First")) ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  CHECK(derive_key("Jefe", "what do ya want for nothing?") ==
        hmac_sha256(as_bytes("Jefe"), "what do ya want for nothing?"));
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
