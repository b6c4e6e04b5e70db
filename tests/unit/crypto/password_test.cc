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

TEST_CASE("a hash from elsewhere is taken only in our form and at a price that can be paid") {
  REQUIRE(init());
  const auto hash = *hash_password("correct horse");
  CHECK(is_password_hash(hash));
  CHECK(is_password_hash(dummy_password_hash()));
  const auto with = [&](const std::string& parameters) {
    return "$argon2id$v=19$" + parameters + hash.substr(hash.find(",p=1"));
  };
  CHECK(is_password_hash(with("m=65536,t=4")));
  for (std::string text : {std::string(), std::string("x"), hash.substr(1), hash.substr(0, 40), hash + std::string(200, 'A'),
                           with("m=4194304,t=2"), with("m=65536,t=100"), with("m=1,t=1"), with("t=2"), with("m=65536,t=-1"),
                           "$argon2i" + hash.substr(9)}) {
    CAPTURE(text);
    CHECK_FALSE(is_password_hash(text));
  }
}

TEST_CASE("a key from a password depends on password, salt and price") {
  REQUIRE(init());
  const PasswordCost cheap{1, 8 * 1024};
  PasswordSalt salt{}, other{};
  other[0] = 1;
  const auto key = *password_key("correct horse", salt, cheap);
  CHECK(*password_key("correct horse", salt, cheap) == key);
  CHECK(*password_key("correct horsf", salt, cheap) != key);
  CHECK(*password_key("correct horse", other, cheap) != key);
  CHECK(*password_key("correct horse", salt, {2, 8 * 1024}) != key);
}
