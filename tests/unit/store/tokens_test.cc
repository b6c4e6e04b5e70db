#include "fixture.h"

using namespace mcptoken;
using namespace mcptoken::store;
using testing::digest;
using testing::new_object;
using testing::status_of;

namespace {

struct TokenFixture : testing::StoreFixture {
  std::string project = add("project", "home");
  std::string owner = add("user", "ann@example.org");

  std::string mint(std::string name, uint64_t number, std::optional<int64_t> expires_ms = std::nullopt) {
    std::string id;
    write([&](Tx& tx) {
      NewToken wanted = token(std::move(name), project, owner, number);
      wanted.expires_ms = expires_ms;
      auto done = tx.insert_token(std::move(wanted));
      REQUIRE(done);
      id = done->id;
    });
    return id;
  }
  std::string bind(const std::string& token_id) {
    std::string id;
    write([&](Tx& tx) {
      auto done = tx.insert(new_object("rbac", "", "mcptoken-" + token_id, "{}", {}, true, token_id));
      REQUIRE(done);
      id = done->id;
    });
    return id;
  }
  bool exists(const std::string& object_id) {
    bool out = false;
    write([&](Tx& tx) { out = tx.get(object_id).has_value(); });
    return out;
  }
  TokenState state(const std::string& id) {
    TokenState out{};
    write([&](Tx& tx) { out = tx.get_token(id)->state(clock.now_ms); });
    return out;
  }
};

}  // namespace

TEST_CASE_FIXTURE(TokenFixture, "a token is found by digest, id and name") {
  std::string id;
  auto changes = write([&](Tx& tx) {
    NewToken wanted = token("ci", project, owner, 7);
    wanted.description = "for the build";
    wanted.expires_ms = clock.now_ms + 10;
    id = tx.insert_token(std::move(wanted))->id;
  });
  REQUIRE(changes.tokens.size() == 1);
  CHECK(changes.tokens[0].op == Op::created);
  CHECK(changes.tokens[0].record.sha == digest(7));
  reopen();
  write([&](Tx& tx) {
    auto found = tx.find_token(digest(7));
    REQUIRE(found);
    CHECK(found->id == id);
    CHECK(found->name == "ci");
    CHECK(found->project_id == project);
    CHECK(found->owner_id == owner);
    CHECK(found->description == "for the build");
    CHECK(found->shown == "mcpctl_pat_abcd");
    CHECK(found->created_ms == clock.now_ms);
    CHECK(found->expires_ms == clock.now_ms + 10);
    CHECK(!found->revoked_ms);
    CHECK(!found->last_used_ms);
    CHECK(found->rbac_mode == "empty");
    CHECK(tx.get_token(id)->sha == digest(7));
    CHECK(tx.get_token(project, "ci")->id == id);
    CHECK(status_of(tx.find_token(digest(8))) == Status::not_found);
    CHECK(status_of(tx.get_token(project, "cd")) == Status::not_found);
  });
}

TEST_CASE_FIXTURE(TokenFixture, "expired means now >= expiry") {
  const std::string id = mint("ci", 1, clock.now_ms + 10);
  clock.now_ms += 9;
  CHECK(state(id) == TokenState::active);
  clock.now_ms += 1;
  CHECK(state(id) == TokenState::expired);
}

TEST_CASE_FIXTURE(TokenFixture, "a name is taken by a token that is neither revoked nor superseded") {
  const std::string first = mint("ci", 1);
  auto insert = [&](uint64_t number) {
    return attempt([&](Tx& tx) -> Result<void> {
      MCPT_CHECK(tx.insert_token(token("ci", project, owner, number)));
      return {};
    });
  };
  auto taken = insert(2);
  REQUIRE(!taken);
  CHECK(taken.error().status == Status::exists);
  CHECK(taken.error().message == "a token named \"ci\" exists already in this project");
  const std::string other = add("project", "other");
  write([&](Tx& tx) { CHECK(tx.insert_token(token("ci", other, owner, 3))); });

  write([&](Tx& tx) { REQUIRE(tx.revoke_token(first, "lost")); });
  CHECK(insert(2));
  CHECK(status_of(insert(2)) == Status::exists);
  write([&](Tx& tx) { CHECK(status_of(tx.insert_token(token("new-name", project, owner, 2))) == Status::exists); });
}

TEST_CASE_FIXTURE(TokenFixture, "no token is named like an id, and no restored id is a name") {
  const std::string first = mint("ci", 1);
  write([&](Tx& tx) {
    CHECK(status_of(tx.insert_token(token(first, project, owner, 2))) == Status::exists);
    CHECK(status_of(tx.insert_token(token(project, project, owner, 2))) == Status::exists);
    CHECK(status_of(tx.insert(new_object("server", "", first, "{}"))) == Status::exists);
    TokenRecord record;
    record.id = "ci";
    record.name = "old", record.project_id = project, record.owner_id = owner, record.shown = "mcpctl_pat_abcd";
    record.sha = digest(3);
    record.rbac_mode = "empty";
    const auto restored = tx.restore_token(record);
    REQUIRE(restored);
    CHECK(restored->id != "ci");
  });
}

TEST_CASE_FIXTURE(TokenFixture, "the name of an expired token can be used again, which revokes the old one") {
  const std::string old = mint("ci", 1, clock.now_ms + 10);
  const std::string binding = bind(old);
  clock.now_ms += 10;
  const auto changes = write([&](Tx& tx) { REQUIRE(tx.insert_token(token("ci", project, owner, 2))); });
  REQUIRE(changes.tokens.size() == 2);
  CHECK(changes.tokens[0].record.id == old);
  CHECK(changes.tokens[0].op == Op::updated);
  CHECK(state(old) == TokenState::revoked);
  CHECK(!exists(binding));
  write([&](Tx& tx) { CHECK(tx.find_token(digest(1))->revoke_reason == "expired; its name went to a new token"); });
}

TEST_CASE_FIXTURE(TokenFixture, "a superseded token works until its grace ends, and frees its name") {
  const std::string old = mint("ci", 1, clock.now_ms + 1000);
  std::string fresh;
  auto changes = write([&](Tx& tx) {
    auto done = tx.supersede_token(old, token("ci", project, owner, 2), clock.now_ms + 100);
    REQUIRE(done);
    fresh = done->id;
  });
  CHECK(changes.tokens.size() == 2);
  write([&](Tx& tx) {
    auto record = tx.get_token(old);
    CHECK(record->superseded_by == fresh);
    CHECK(record->expires_ms == clock.now_ms + 100);
    CHECK(record->usable(clock.now_ms));
    CHECK(!record->usable(clock.now_ms + 100));
    CHECK(tx.get_token(project, "ci")->id == fresh);
    CHECK(status_of(tx.supersede_token(old, token("ci", project, owner, 3), clock.now_ms + 1)) == Status::conflict);
    CHECK(status_of(tx.supersede_token("none", token("ci", project, owner, 3), clock.now_ms + 1)) == Status::not_found);
  });
  CHECK(state(old) == TokenState::superseded);
  write([&](Tx& tx) {  // the successor's end does not bring the old one back
    REQUIRE(tx.purge_token(fresh));
    CHECK(tx.get_token(old)->state(clock.now_ms) == TokenState::superseded);
  });
  const std::string shorter = mint("cd", 5, clock.now_ms + 10);
  write([&](Tx& tx) {
    REQUIRE(tx.supersede_token(shorter, token("cd", project, owner, 6), clock.now_ms + 100));
    CHECK(tx.get_token(shorter)->expires_ms == clock.now_ms + 10);
  });
}

TEST_CASE_FIXTURE(TokenFixture, "revocation keeps the record, its first reason, and no binding") {
  const std::string id = mint("ci", 1);
  const std::string binding = bind(id);
  auto changes = write([&](Tx& tx) { REQUIRE(tx.revoke_token(id, "lost")); });
  CHECK(changes.touches("rbac"));
  REQUIRE(changes.tokens.size() == 1);
  CHECK(changes.tokens[0].record.revoked_ms == clock.now_ms);
  CHECK(!exists(binding));
  const int64_t first = clock.now_ms;
  clock.now_ms += 5;
  auto again = write([&](Tx& tx) { REQUIRE(tx.revoke_token(id, "stolen")); });
  CHECK(again.empty());
  write([&](Tx& tx) {
    CHECK(tx.get_token(id)->revoked_ms == first);
    CHECK(tx.get_token(id)->revoke_reason == "lost");
    CHECK(status_of(tx.revoke_token("none", "")) == Status::not_found);
  });
}

TEST_CASE_FIXTURE(TokenFixture, "purging removes the record and its binding; old tombstones go together") {
  const std::string live = mint("live", 1);
  const std::string binding = bind(live);
  const std::string dead = mint("dead", 2);
  const std::string fresh = mint("fresh", 3);
  write([&](Tx& tx) { REQUIRE(tx.revoke_token(dead, "")); });
  clock.now_ms += 100;
  write([&](Tx& tx) { REQUIRE(tx.revoke_token(fresh, "")); });
  auto changes = write([&](Tx& tx) { CHECK(*tx.purge_ended_tokens(clock.now_ms, 100) == 1); });
  REQUIRE(changes.tokens.size() == 1);
  CHECK(changes.tokens[0].op == Op::removed);
  CHECK(changes.tokens[0].record.id == dead);
  CHECK(exists(binding));
  write([&](Tx& tx) { REQUIRE(tx.purge_token(live)); });
  CHECK(!exists(binding));
  write([&](Tx& tx) {
    CHECK(status_of(tx.get_token(live)) == Status::not_found);
    CHECK(tx.list_tokens()->size() == 1);
    CHECK(status_of(tx.purge_token(live)) == Status::not_found);
  });
}

TEST_CASE_FIXTURE(TokenFixture, "removing a project removes its tokens and their bindings") {
  const std::string id = mint("ci", 1);
  const std::string binding = bind(id);
  const std::string other = add("project", "other");
  write([&](Tx& tx) { REQUIRE(tx.insert_token(token("ci", other, owner, 2))); });
  auto changes = write([&](Tx& tx) { REQUIRE(tx.remove(project)); });
  REQUIRE(changes.tokens.size() == 1);
  CHECK(changes.tokens[0].op == Op::removed);
  CHECK(changes.tokens[0].record.sha == digest(1));
  CHECK(changes.touches("rbac"));
  CHECK(!exists(binding));
  write([&](Tx& tx) {
    CHECK(tx.list_tokens()->size() == 1);
    CHECK(tx.list_tokens(other)->size() == 1);
  });
}

TEST_CASE_FIXTURE(TokenFixture, "a user with usable tokens stays, unless they may go, too") {
  const std::string live = mint("ci", 1);
  const std::string dead = mint("old", 2);
  mint("gone", 3, clock.now_ms + 1);
  clock.now_ms += 1;
  write([&](Tx& tx) {
    REQUIRE(tx.revoke_token(dead, ""));
    REQUIRE(tx.set_password(owner, "$argon2id$…"));
    REQUIRE(tx.insert_session(owner, digest(50), "cli"));
  });
  auto refused = attempt([&](Tx& tx) { return tx.remove(owner); });
  REQUIRE(!refused);
  CHECK(refused.error().status == Status::conflict);
  CHECK(refused.error().message == "user \"ann@example.org\" is in use: token \"ci\"");
  CHECK(state(live) == TokenState::active);
  auto changes = write([&](Tx& tx) { REQUIRE(tx.remove(owner, std::nullopt, true)); });
  CHECK(changes.tokens.size() == 3);
  REQUIRE(changes.sessions.size() == 1);
  CHECK(changes.sessions[0].op == Op::removed);
  write([&](Tx& tx) {
    CHECK(tx.list_tokens()->empty());
    CHECK(!*tx.password(owner));
    CHECK(status_of(tx.find_session(digest(50))) == Status::not_found);
  });
}

TEST_CASE_FIXTURE(TokenFixture, "a project and its owner's last tokens can go in one removal") {
  mint("ci", 1);
  write([&](Tx& tx) { REQUIRE(tx.update(owner, "{}", {{"home", project, OnDelete::cascade}})); });
  write([&](Tx& tx) { REQUIRE(tx.remove(project)); });
  CHECK(!exists(owner));
}

TEST_CASE_FIXTURE(TokenFixture, "tokens of nobody or nowhere are refused") {
  write([&](Tx& tx) {
    CHECK(status_of(tx.insert_token(token("a", "none", owner, 1))) == Status::not_found);
    CHECK(status_of(tx.insert_token(token("a", project, "none", 1))) == Status::not_found);
    CHECK(status_of(tx.insert_token(token("", project, owner, 1))) == Status::invalid);
  });
}

TEST_CASE_FIXTURE(TokenFixture, "last use is written once a minute at most, and is no change") {
  const std::string id = mint("ci", 1);
  auto touch = [&](int64_t at, const char* from) {
    const TokenUse uses[] = {{digest(1), at, from}, {digest(99), at, from}};
    auto changes = write([&](Tx& tx) { REQUIRE(tx.touch_tokens(uses)); });
    CHECK(changes.empty());
    std::string out;
    write([&](Tx& tx) { out = tx.get_token(id)->last_used_from; });
    return out;
  };
  CHECK(touch(1000, "a") == "a");
  CHECK(touch(60'999, "b") == "a");
  CHECK(touch(61'000, "c") == "c");
  CHECK(touch(5'000, "d") == "c");
}

TEST_CASE_FIXTURE(TokenFixture, "snapshots are built from one walk") {
  for (uint64_t i = 0; i < 20; ++i)
    mint("t" + std::to_string(i), i);
  write([&](Tx& tx) {
    REQUIRE(tx.insert_session(owner, digest(100), "cli"));
    REQUIRE(tx.insert_session(owner, digest(101), "web"));
  });
  reopen();
  std::vector<crypto::Digest> tokens, sessions;
  REQUIRE(store->read_and_wait(testing::system_principal(), [&](Tx& tx) -> Result<void> {
    MCPT_CHECK(tx.for_each_token([&](const TokenFacts& one) -> Result<void> {
      tokens.push_back(one.sha);
      return {};
    }));
    return tx.for_each_session([&](const SessionRecord& one) -> Result<void> {
      sessions.push_back(one.sha);
      return {};
    });
  }));
  CHECK(tokens.size() == 20);
  CHECK(sessions.size() == 2);
  auto stopped = store->read_and_wait(testing::system_principal(), [&](Tx& tx) {
    return tx.for_each_token([](const TokenFacts&) -> Result<void> { return fail(Status::cancelled, "enough"); });
  });
  CHECK(status_of(stopped) == Status::cancelled);
}

TEST_CASE_FIXTURE(TokenFixture, "login sessions live and end") {
  std::string id;
  auto changes = write([&](Tx& tx) { id = tx.insert_session(owner, digest(1), "cli")->id; });
  REQUIRE(changes.sessions.size() == 1);
  CHECK(changes.sessions[0].op == Op::created);
  clock.now_ms += 10;
  write([&](Tx& tx) {
    REQUIRE(tx.insert_session(owner, digest(2), "web"));
    REQUIRE(tx.touch_session(digest(1), clock.now_ms));
    REQUIRE(tx.touch_session(digest(1), 5));
    CHECK(tx.find_session(digest(1))->last_used_ms == clock.now_ms);
    CHECK(tx.find_session(digest(1))->client == "cli");
    CHECK(status_of(tx.insert_session("none", digest(3), "")) == Status::not_found);
    CHECK(status_of(tx.insert_session(owner, digest(2), "")) == Status::exists);
    CHECK(*tx.purge_sessions(clock.now_ms, clock.now_ms) == 1);  // the first is older than allowed, though in use
    CHECK(status_of(tx.remove_session(id)) == Status::not_found);
    REQUIRE(tx.remove_sessions_of(owner));
    CHECK(status_of(tx.find_session(digest(2))) == Status::not_found);
    REQUIRE(tx.set_password(owner, "one"));
    REQUIRE(tx.set_password(owner, "two"));
    CHECK(*tx.password(owner) == "two");
    CHECK(!*tx.password("none"));
    CHECK(status_of(tx.set_password("none", "x")) == Status::not_found);
  });
}

TEST_CASE_FIXTURE(TokenFixture, "a token whose record has gone is remembered by its hash, and does not come back") {
  const std::string purged = mint("purged", 1);
  mint("with-its-project", 2);
  mint("with-its-owner", 3);
  auto removed = [&](uint64_t number) {
    bool out = false;
    write([&](Tx& tx) { out = *tx.was_removed(digest(number)); });
    return out;
  };
  CHECK_FALSE(removed(1));
  write([&](Tx& tx) { REQUIRE(tx.purge_token(purged)); });
  CHECK(removed(1));
  CHECK_FALSE(removed(2));
  write([&](Tx& tx) { REQUIRE(tx.remove(project)); });
  CHECK(removed(2));
  CHECK(removed(3));
  reopen();
  CHECK(removed(1));
  project = add("project", "home");
  write([&](Tx& tx) {
    TokenRecord record;
    record.name = "purged", record.project_id = project, record.owner_id = owner, record.shown = "mcpctl_pat_abcd";
    record.rbac_mode = "empty";
    record.sha = digest(1);
    CHECK(status_of(tx.restore_token(record)) == Status::denied);
    record.sha = digest(9);
    CHECK(tx.restore_token(record).has_value());
  });
}

TEST_CASE_FIXTURE(TokenFixture, "a restored token keeps its times, its end and, when that is free, its id") {
  const std::string taken = mint("taken", 1);
  TokenRecord record;
  record.name = "old", record.project_id = project, record.owner_id = owner, record.shown = "mcpctl_pat_abcd";
  record.id = "a2345678901234567890";
  record.sha = digest(2);
  record.created_ms = 5;
  record.expires_ms = 7;
  record.revoked_ms = 6;
  record.revoke_reason = "why";
  record.superseded_by = "b2345678901234567890";
  record.last_used_ms = 4;
  record.last_used_from = "192.0.2.1";
  record.rbac_mode = "clone";
  auto changes = write([&](Tx& tx) { REQUIRE(tx.restore_token(record)); });
  REQUIRE(changes.tokens.size() == 1);
  CHECK(changes.tokens[0].op == Op::created);
  write([&](Tx& tx) {
    auto found = tx.find_token(digest(2));
    REQUIRE(found);
    CHECK(found->id == record.id);
    CHECK(found->created_ms == 5);
    CHECK(found->expires_ms == 7);
    CHECK(found->revoked_ms == 6);
    CHECK(found->revoke_reason == "why");
    CHECK(found->superseded_by == record.superseded_by);
    CHECK(found->last_used_ms == 4);
    CHECK(found->last_used_from == "192.0.2.1");
    CHECK(found->rbac_mode == "clone");
    record.id = taken;
    record.sha = digest(3);
    auto other = tx.restore_token(record);
    REQUIRE(other);
    CHECK(other->id != taken);
    CHECK(status_of(tx.restore_token(record)) == Status::exists);  // the hash
    record.sha = digest(4);
    record.revoked_ms.reset();
    record.superseded_by.clear();
    record.name = "taken";
    CHECK(status_of(tx.restore_token(record)) == Status::exists);  // the name
  });
}
