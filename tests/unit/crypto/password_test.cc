#include <doctest/doctest.h>
#include <sodium.h>

#include "crypto/crypto.h"

using namespace mcptoken::crypto;

TEST_CASE("passwords verify against their own hash alone") {
  REQUIRE(init());
  auto hash = hash_password("correct horse");
  REQUIRE(hash);
  CHECK(hash->starts_with("$argon2id$v=19$m=65536,t=2,p=1$"));
  CHECK(verify_password(*hash, "correct horse"));
  CHECK_FALSE(verify_password(*hash, "correct horse "));
  CHECK(hash_password("correct horse") != *hash);  // salted
  CHECK(crypto_pwhash_str_needs_rehash(hash->c_str(), crypto_pwhash_OPSLIMIT_INTERACTIVE,
                                       crypto_pwhash_MEMLIMIT_INTERACTIVE) == 0);
}

TEST_CASE("what is not a hash verifies nothing") {
  for (std::string text :
       {std::string(), std::string("x"), std::string("$argon2id$v=19$m=65536,t=2,p=1$"), std::string(200, '$')}) {
    CHECK_FALSE(verify_password(text, ""));
    CHECK_FALSE(verify_password(text, "x"));
  }
}

TEST_CASE("the dummy hash is well formed, costs the same, and fits no password") {
  CHECK(crypto_pwhash_str_needs_rehash(dummy_password_hash().c_str(), crypto_pwhash_OPSLIMIT_INTERACTIVE,
                                       crypto_pwhash_MEMLIMIT_INTERACTIVE) == 0);
  CHECK_FALSE(verify_password(dummy_password_hash(), ""));
  CHECK_FALSE(verify_password(dummy_password_hash(), "no password has this hash"));
}
