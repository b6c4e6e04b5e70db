// Transactions that can be counted afterwards, and told from half ones.
#pragma once

#include "fixture.h"

namespace mcptoken::testing {

inline Result<void> begin_trail(store::Tx& tx) {
  if (tx.get("project", "", "home")) return {};
  MCPT_CHECK(tx.insert(new_object("project", "", "home", "{}")));
  MCPT_CHECK(tx.insert(new_object("user", "", "ann", "{}")));
  return {};
}

// Each number is one transaction: an object, a token bound to it, and a setting, all or nothing; every third revokes
// the token before.
inline Result<void> change(store::Tx& tx, uint64_t number) {
  const std::string name = "n" + std::to_string(number);
  MCPT_TRY(auto project, tx.get("project", "", "home"));
  MCPT_TRY(auto user, tx.get("user", "", "ann"));
  MCPT_CHECK(tx.insert(new_object("prompt", project.id, name, "{}", {{"by", user.id, store::OnDelete::restrict_}})));
  store::NewToken token;
  token.name = name;
  token.project_id = project.id;
  token.owner_id = user.id;
  token.sha = digest(number);
  MCPT_TRY(auto inserted, tx.insert_token(std::move(token)));
  MCPT_CHECK(tx.insert(new_object("rbac", "", "mcptoken-" + inserted.id, "{}", {}, true, inserted.id)));
  if (number % 3 == 2) {
    MCPT_TRY(auto before, tx.find_token(digest(number - 1)));
    MCPT_CHECK(tx.revoke_token(before.id, "test"));
  }
  return tx.set_setting("last", std::to_string(number));
}

// How many whole transactions are there; fails when one is half there.
inline uint64_t check_whole(const std::string& dir) {
  auto opened = store::Store::open(store::Options(dir));
  REQUIRE(opened);
  uint64_t last = 0;
  REQUIRE((*opened)->read_and_wait(system_principal(), [&](store::Tx& tx) -> Result<void> {
    MCPT_TRY(auto setting, tx.setting("last"));
    last = setting ? std::stoull(*setting) : 0;
    MCPT_TRY(auto prompts, tx.list("prompt"));
    MCPT_TRY(auto tokens, tx.list_tokens());
    MCPT_TRY(auto bindings, tx.list("rbac"));
    CHECK(prompts.size() == last);
    CHECK(tokens.size() == last);
    uint64_t live = 0;
    for (const store::TokenRecord& token : tokens)
      live += !token.revoked_ms;
    CHECK(bindings.size() == live);
    CHECK(live == last - (last + 1) / 3);
    MCPT_TRY(auto sound, tx.db().prepare("PRAGMA integrity_check"));
    MCPT_CHECK(sound.step());
    CHECK(sound.text(0) == "ok");
    MCPT_TRY(auto broken, tx.db().prepare("SELECT 1 FROM pragma_foreign_key_check"));
    CHECK(!*broken.step());
    return {};
  }));
  return last;
}

}  // namespace mcptoken::testing
