#include "service/token_table.h"

#include <doctest/doctest.h>

#include <atomic>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

using namespace mcptoken;
using namespace mcptoken::service;
using store::TokenFacts;

namespace {

crypto::Digest digest(uint8_t shard, uint8_t rest) {
  crypto::Digest out{};
  out[0] = shard;
  out[31] = rest;
  return out;
}

TokenFacts token(const crypto::Digest& sha, int64_t expires_ms = 1, std::string_view id = "id", std::string_view name = "name") {
  TokenFacts out;
  out.sha = sha;
  out.id = id;
  out.name = name;
  out.owner_id = "owner";
  out.project_id = "project";
  out.expires_ms = expires_ms;
  return out;
}

rbac::Principal principal(std::string name) {
  rbac::Principal who;
  who.token_name = std::move(name);
  return who;
}

// Spread as digests are, but with many in one shard, and with neighbours.
crypto::Digest any_digest(std::mt19937& random) {
  crypto::Digest out{};
  out[0] = static_cast<uint8_t>(random() % 3);
  out[1] = static_cast<uint8_t>(random());
  if (random() % 2) out[2] = static_cast<uint8_t>(random());
  out[31] = static_cast<uint8_t>(random() % 4);
  return out;
}

using Model = std::map<crypto::Digest, std::string>;  // name by digest

void same(const TokenTable& table, const Model& model) {
  size_t seen = 0;
  table.for_each([&](const TokenEntry& one) {
    ++seen;
    const auto found = model.find(one.sha());
    REQUIRE(found != model.end());
    REQUIRE(one.name() == found->second);
    REQUIRE(one.id() == "of-" + found->second);
  });
  REQUIRE(seen == model.size());
  for (const auto& [sha, name] : model) {
    const auto found = table.find(sha);
    REQUIRE(found);
    REQUIRE(found->sha() == sha);
    REQUIRE(found->name() == name);
  }
}

}  // namespace

TEST_CASE("token table: against a map, and what was copied before") {
  TokenTable table, before;
  Model model, old;
  std::mt19937 random(7);
  for (int step = 0; step < 20'000; ++step) {
    const auto sha = any_digest(random);
    if (random() % 3) {
      const auto name = std::to_string(random() % (random() % 2 ? 10 : 1'000'000));
      const auto id = "of-" + name;
      table.put(token(sha, 1, id, name));
      model[sha] = name;
    } else {
      table.remove(sha);
      model.erase(sha);
    }
    const auto asked = any_digest(random);
    REQUIRE(table.find(asked).has_value() == model.contains(asked));
    if (step % 4'000 == 0) {
      same(before, old);
      before = table;
      old = model;
    }
  }
  same(table, model);
  same(before, old);
}

TEST_CASE("token table: many at once are the same as one by one") {
  std::mt19937 random(11);
  TokenTable::Loader loader;
  Model model;
  for (int i = 0; i < 5'000; ++i) {
    const auto sha = any_digest(random);
    const auto name = std::to_string(i), id = "of-" + name, owner = std::to_string(i / 3 % 5);
    auto one = token(sha, 1, id, name);
    one.owner_id = owner;
    if (model.emplace(sha, name).second) loader.add(one);
  }
  TokenTable table = loader.finish();
  same(table, model);
  table.for_each([](const TokenEntry& one) {
    REQUIRE(one.owner_id() == std::to_string(std::stoi(std::string(one.name())) / 3 % 5));
    REQUIRE(one.project_id() == "project");
  });
  table.put(token(digest(1, 1), 1, "of-new", "new"));
  model[digest(1, 1)] = "new";
  same(table, model);
}

TEST_CASE("token table: digests that chance would not crowd together are found, too") {
  TokenTable table;
  Model model;
  for (int i = 0; i < 250; ++i) {
    auto sha = digest(1, static_cast<uint8_t>(i));
    sha[4] = i % 2 ? 0x00 : 0xff;
    if (i % 5 == 0) sha[1] = 0x0f, sha[2] = sha[3] = 0xff;  // the shard's other end
    const auto name = std::to_string(i);
    table.put(token(sha, 1, "of-" + name, name));
    model[sha] = name;
    auto absent = sha;
    absent[30] = 1;
    REQUIRE_FALSE(table.find(absent));
  }
  same(table, model);
}

TEST_CASE("token table: everything that is put in is found") {
  TokenTable table;
  auto given = token(digest(1, 1), 5, "the-id", "the-name");
  given.revoked_ms = 7;
  given.superseded = true;
  table.put(given);
  table.put({digest(1, 2), "", "", "p", "o", std::nullopt, std::nullopt, false});
  const auto full = table.find(digest(1, 1)), bare = table.find(digest(1, 2));
  REQUIRE(full);
  CHECK(full->sha() == digest(1, 1));
  CHECK(full->id() == "the-id");
  CHECK(full->name() == "the-name");
  CHECK(full->owner_id() == "owner");
  CHECK(full->project_id() == "project");
  CHECK(full->expires_ms() == 5);
  CHECK(full->revoked());
  CHECK(full->revoked_ms() == 7);
  CHECK(full->superseded());
  REQUIRE(bare);
  CHECK(bare->id().empty());
  CHECK(bare->name().empty());
  CHECK(bare->owner_id() == "o");
  CHECK(bare->project_id() == "p");
  CHECK(bare->expires_ms() == TokenRecord::kNever);
  CHECK_FALSE(bare->revoked());
  CHECK_FALSE(bare->superseded());
  // The same after its shard was written anew for another.
  table.put(token(digest(1, 3)));
  const auto again = table.find(digest(1, 1));
  CHECK(again->name() == "the-name");
  CHECK(again->revoked_ms() == 7);
  CHECK(again->superseded());
  CHECK_FALSE(table.find(digest(1, 2))->revoked());
  CHECK(table.find(digest(1, 2))->expires_ms() == TokenRecord::kNever);
}

TEST_CASE("token table: a copy does not see later changes") {
  TokenTable table;
  table.put(token(digest(1, 1), 10));
  table.put(token(digest(1, 2), 20));
  const TokenTable before = table;
  const auto old = before.find(digest(1, 1));
  table.put(token(digest(1, 1), 99, "other", "other"));
  table.put(token(digest(1, 3), 30));
  table.put(token(digest(2, 1), 40));
  table.remove(digest(1, 2));
  CHECK(old->expires_ms() == 10);
  CHECK(old->name() == "name");
  CHECK(before.find(digest(1, 1))->expires_ms() == 10);
  CHECK(before.find(digest(1, 2)));
  CHECK_FALSE(before.find(digest(1, 3)));
  CHECK_FALSE(before.find(digest(2, 1)));
  CHECK(table.find(digest(1, 1))->expires_ms() == 99);
  CHECK(table.find(digest(1, 1))->name() == "other");
  CHECK_FALSE(table.find(digest(1, 2)));
  CHECK(table.find(digest(1, 3)));
  CHECK(table.find(digest(2, 1)));
}

TEST_CASE("token table: owners and projects that have no token any more are forgotten") {
  TokenTable table;
  table.put(token(digest(9, 9)));
  const TokenTable before = table;
  const auto* home = &before.find(digest(9, 9))->owner_id();
  for (int i = 0; i < 5'000; ++i) {
    const auto owner = "owner-" + std::to_string(i);
    auto one = token(digest(1, 1));
    one.owner_id = owner;
    table.put(one);
    CHECK(table.find(digest(1, 1))->owner_id() == owner);
    REQUIRE(table.homes() <= 2'000);
  }
  CHECK(table.find(digest(9, 9))->owner_id() == "owner");
  CHECK(&before.find(digest(9, 9))->owner_id() == home);  // who holds an old table keeps what it points to
  CHECK(*home == "owner");
}

TEST_CASE("token table: the first principal stays, as long as anybody has it") {
  TokenTable table;
  table.put(token(digest(1, 1)));
  CHECK_FALSE(table.find(digest(1, 1))->principal());
  const auto first = table.find(digest(1, 1))->keep(principal("first"));
  CHECK(first->token_name == "first");
  CHECK(table.find(digest(1, 1))->principal() == first);
  CHECK(table.find(digest(1, 1))->keep(principal("second")) == first);

  const TokenTable copy = table;
  CHECK(copy.find(digest(1, 1))->principal() == first);  // the same shard
  table.put(token(digest(1, 1), 2));
  CHECK_FALSE(table.find(digest(1, 1))->principal());  // another token, as far as the table knows
  CHECK(copy.find(digest(1, 1))->principal() == first);

  const std::weak_ptr<const rbac::Principal> watched = table.find(digest(1, 1))->keep(principal("third"));
  CHECK_FALSE(watched.expired());
  const auto held = watched.lock();
  table = TokenTable();
  CHECK(held->token_name == "third");  // of a token that has gone: a request goes on
  CHECK(held.use_count() == 1);
}

TEST_CASE("token table: all threads get the same principal") {
  constexpr int kThreads = 4, kTokens = 200;
  TokenTable table;
  for (int i = 0; i < kTokens; ++i)
    table.put(token(digest(static_cast<uint8_t>(i % 3), static_cast<uint8_t>(i))));
  std::vector<std::vector<PrincipalPtr>> found(kThreads, std::vector<PrincipalPtr>(kTokens));
  std::atomic<int> waiting{kThreads};
  const auto use = [&](int thread) {
    --waiting;
    while (waiting > 0) {
    }
    for (int i = 0; i < kTokens; ++i) {
      const auto one = table.find(digest(static_cast<uint8_t>(i % 3), static_cast<uint8_t>(i)));
      auto who = one->principal();
      if (!who) who = one->keep(principal(std::string(40, 'x') + std::to_string(i)));
      found[static_cast<size_t>(thread)][static_cast<size_t>(i)] = who;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back(use, i);
  // Meanwhile another table comes of this one.
  TokenTable next = table;
  for (int i = 0; i < kTokens; ++i)
    next.put(token(digest(0, static_cast<uint8_t>(i)), 2));
  for (auto& thread : threads)
    thread.join();
  for (size_t i = 0; i < kTokens; ++i) {
    for (const auto& mine : found)
      REQUIRE(mine[i] == found[0][i]);
    CHECK(found[0][i]->token_name == std::string(40, 'x') + std::to_string(i));
  }
}
