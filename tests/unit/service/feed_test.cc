#include "service/feed.h"

#include <set>
#include <thread>

#include "service/snapshot.h"
#include "unit/control/world.h"

using namespace mcptoken;
using namespace mcptoken::service;
using control::WatchId;
using control::testing::World;

namespace {

WatchId id(uint32_t number) {
  WatchId out{};
  for (size_t i = 0; i < 4; ++i)
    out[i] = static_cast<uint8_t>(number >> (24 - 8 * i));
  return out;
}

std::vector<WatchId> ids(uint32_t first, uint32_t count) {
  std::vector<WatchId> out;
  for (uint32_t i = 0; i < count; ++i)
    out.push_back(id(first + i));
  return out;
}

}  // namespace

TEST_CASE("feed: what changed after a revision, each once") {
  ChangeLog log(10);
  CHECK(log.since(10)->empty());
  CHECK_FALSE(log.since(9));
  log.append(12, {id(1), id(2)});
  log.append(15, {id(2), id(3)});
  CHECK(*log.since(10) == ids(1, 3));
  CHECK(*log.since(11) == ids(1, 3));
  CHECK(*log.since(12) == ids(2, 2));
  CHECK(*log.since(14) == ids(2, 2));
  CHECK(log.since(15)->empty());
  const ChangeLog before = log;
  log.append(16, {id(9)});
  CHECK(before.since(15)->empty());
}

TEST_CASE("feed: the log is bounded in transactions and in tokens") {
  ChangeLog log(0);
  for (uint32_t i = 1; i <= limits::kWatchBatches + 1; ++i)
    log.append(i, {id(i)});
  CHECK_FALSE(log.since(0));
  CHECK(log.since(1)->size() == limits::kWatchBatches);

  ChangeLog wide(0);
  wide.append(1, ids(0, limits::kWatchIds / 2));
  wide.append(2, ids(0, limits::kWatchIds / 2));
  CHECK(wide.since(0));
  wide.append(3, {id(1)});
  CHECK_FALSE(wide.since(0));
  CHECK(wide.since(1));
  wide.append(4, ids(0, limits::kWatchIds + 1));
  CHECK_FALSE(wide.since(3));
  CHECK(wide.since(4)->empty());
}

TEST_CASE("feed: places for polls") {
  PollPlaces places;
  std::vector<PollPlaces::Place> taken;
  const auto take = [&](const std::string& address) {
    auto place = places.take(address);
    if (place) taken.push_back(*std::move(place));
    else CHECK(place.error().status == Status::limit);
    return place.has_value();
  };
  for (size_t i = 0; i < limits::kWatchPollsPerAddress; ++i)
    CHECK(take("10.0.0.1"));
  CHECK_FALSE(take("10.0.0.1"));
  taken.pop_back();
  CHECK(take("10.0.0.1"));
  for (size_t i = limits::kWatchPollsPerAddress; i < limits::kWatchPolls; ++i)
    CHECK(take("10.0.1." + std::to_string(i)));
  CHECK_FALSE(take("10.0.0.2"));
  taken.clear();
  CHECK(take("10.0.0.2"));
}

TEST_CASE("feed: many threads never take more places than there are") {
  PollPlaces places;
  std::atomic<size_t> held{0}, most{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20'000; ++i) {
        auto place = places.take("10.0.0.1");
        if (!place) continue;
        const size_t now = ++held;
        for (size_t seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        --held;
      }
    });
  }
  for (auto& thread : threads)
    thread.join();
  CHECK(most.load() <= limits::kWatchPollsPerAddress);
}

namespace {

// Every request is followed by the snapshot that the service would publish.
struct Watched : World {
  Watched() {
    expect(201, root, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none"})");
    expect(201, root, "POST", "/api/v1/projects", R"({"name":"q","proxyModel":"none"})");
    owner = user("o@example.org", {"role:view,resource:projects", "role:create,resource:mcptokens,name:p/*",
                                   "role:create,resource:mcptokens,name:q/*", "role:view,resource:servers"});
    read([&](store::Tx& tx) -> Result<void> {
      MCPT_TRY(now, load_snapshot(tx, *control));
      return {};
    });
    before_commit = [&](store::Tx& tx) -> Result<void> {
      MCPT_TRY(now, advance_snapshot(now, tx, *control));
      return {};
    };
    other = mint("other", "q", root);
  }
  control::testing::Reply ask(const std::string& method, const std::string& target, const std::string& body = {}) {
    auto reply = call(root, method, "/api/v1/" + target, body);
    CHECK_MESSAGE(reply.status < 300, method << " " << target << " -> " << reply.body);
    return reply;
  }
  std::string mint(const std::string& name, const std::string& project, const rbac::Principal& by) {
    const auto made = expect(201, by, "POST", "/api/v1/mcptokens",
                             R"({"name":")" + name + R"(","project":")" + project +
                                 R"(","bindings":["role:view,resource:servers"]})");
    token_id = made.text("id");
    return made.text("token");
  }
  // Whether the feed names the token after `change`; it never names the bystander.
  template <class F>
  bool named(const std::string& raw, const F& change) {
    const auto since = now->revision;
    change();
    const auto changed = now->changes->since(since);
    REQUIRE(changed);
    const std::set<WatchId> all(changed->begin(), changed->end());
    CHECK_FALSE(all.contains(control::watch_id(control->keys(), token::hash(other))));
    return all.contains(control::watch_id(control->keys(), token::hash(raw)));
  }

  rbac::Principal root = admin(), owner;
  SnapshotPtr now;
  std::string other, token_id;
};

}  // namespace

TEST_CASE_FIXTURE(Watched, "feed: everything that changes what introspection answers, and nothing else") {
  const auto raw = mint("t", "p", owner);
  const auto sha = to_hex(token::hash(raw));
  CHECK_FALSE(named(raw, [&] { mint("u", "p", owner); }));
  CHECK_FALSE(named(raw, [&] { ask("POST", "servers", R"({"name":"s","externalUrl":"https://e.example/mcp"})"); }));
  CHECK_FALSE(named(raw, [&] { ask("POST", "groups", R"({"name":"team","members":["o@example.org"]})"); }));

  const std::string binding = R"("roleBindings":["role:view,resource:prompts"])";
  SUBCASE("bindings of the owner") {
    CHECK(named(raw, [&] { ask("POST", "rbac", R"({"name":"r","subjects":["User:o@example.org"],)" + binding + "}"); }));
    CHECK(named(raw, [&] { ask("PATCH", "rbac/r", R"({"roleBindings":["role:run,resource:tools"]})"); }));
    CHECK(named(raw, [&] { ask("DELETE", "rbac/r"); }));
  }
  SUBCASE("bindings of somebody else") {
    user("x@example.org");
    CHECK_FALSE(named(raw, [&] { ask("POST", "rbac", R"({"name":"r","subjects":["User:x@example.org"],)" + binding + "}"); }));
  }
  SUBCASE("groups of the owner") {
    CHECK(named(raw, [&] { ask("POST", "rbac", R"({"name":"r","subjects":["Group:team"],)" + binding + "}"); }));
    CHECK(named(raw, [&] { ask("PATCH", "groups/team", R"({"members":[]})"); }));
    CHECK(named(raw, [&] { ask("PATCH", "groups/team", R"({"members":["o@example.org"]})"); }));
    CHECK(named(raw, [&] { ask("DELETE", "rbac/r"); }));
  }
  SUBCASE("bindings of the token in another definition") {
    CHECK(named(raw, [&] { ask("POST", "rbac", R"({"name":"r","subjects":["McpToken:)" + sha + R"("],)" + binding + "}"); }));
    CHECK(named(raw, [&] { ask("DELETE", "rbac/r"); }));
  }
  SUBCASE("the owner is disabled, enabled and gone") {
    CHECK(named(raw, [&] { ask("PATCH", "users/o@example.org", R"({"disabled":true})"); }));
    CHECK(named(raw, [&] { ask("PATCH", "users/o@example.org", R"({"disabled":false})"); }));
    CHECK_FALSE(named(raw, [&] { ask("PATCH", "users/o@example.org", R"({"name":"Olga"})"); }));
    CHECK(named(raw, [&] { ask("DELETE", "users/o@example.org?cascade=true"); }));
  }
  SUBCASE("revoked") {
    const auto at = expect(200, owner, "GET", "/api/v1/mcptokens/t?project=p").text("id");
    CHECK(named(raw, [&] { ask("DELETE", "mcptokens/" + at); }));
    CHECK(named(raw, [&] { ask("DELETE", "mcptokens/" + at + "?purge=true"); }));
  }
  SUBCASE("replaced") {
    CHECK(named(raw, [&] {
      expect(201, owner, "POST", "/api/v1/mcptokens", R"({"name":"t","project":"p","force":true})");
    }));
  }
  SUBCASE("servers of its project, and what they are") {
    ask("POST", "projects", R"({"name":"elsewhere","proxyModel":"none"})");
    CHECK_FALSE(named(raw, [&] { ask("PATCH", "projects/elsewhere", R"({"servers":[{"server":"s"}]})"); }));
    CHECK(named(raw, [&] { ask("PATCH", "projects/p", R"({"servers":[{"server":"s"}]})"); }));
    CHECK_FALSE(named(raw, [&] { ask("PATCH", "projects/p", R"({"description":"of no weight"})"); }));
    CHECK(named(raw, [&] { ask("PATCH", "projects/p", R"({"servers":[{"server":"s","prefix":"x"}]})"); }));
    CHECK(named(raw, [&] { ask("PATCH", "servers/s", R"({"externalUrl":"https://other.example/mcp"})"); }));
    CHECK(named(raw, [&] { ask("PATCH", "projects/p", R"({"separator":"--"})"); }));
    CHECK(named(raw, [&] { ask("PATCH", "projects/p", R"({"prompt":"In other words."})"); }));
    CHECK(named(raw, [&] { ask("PATCH", "projects/p", R"({"servers":[]})"); }));
  }
  SUBCASE("its project goes") {
    CHECK(named(raw, [&] { ask("DELETE", "projects/p"); }));
  }
}
