#include "fixture.h"

using namespace mcptoken;
using namespace mcptoken::store;
using testing::new_object;
using testing::status_of;
using testing::StoreFixture;

TEST_CASE_FIXTURE(StoreFixture, "an object is found by id and by name, with what was stored") {
  const std::string project = add("project", "home");
  const std::string id = add("prompt", "hello", project);
  write([&](Tx& tx) {
    auto by_id = tx.get(id);
    REQUIRE(by_id);
    CHECK(by_id->kind == "prompt");
    CHECK(by_id->project_id == project);
    CHECK(by_id->name == "hello");
    CHECK(by_id->version == 1);
    CHECK(by_id->revision == 2);
    CHECK(by_id->created_ms == clock.now_ms);
    CHECK(by_id->doc == "{}");
    CHECK(tx.get("prompt", project, "hello")->id == id);
    CHECK(status_of(tx.get("prompt", "", "hello")) == Status::not_found);
    CHECK(status_of(tx.get("prompt", project, "Hello")) == Status::not_found);
    CHECK(status_of(tx.get("none")) == Status::not_found);
  });
}

TEST_CASE_FIXTURE(StoreFixture, "names are unique per kind and project") {
  const std::string project = add("project", "home");
  add("server", "x");
  add("prompt", "x");
  add("prompt", "x", project);
  auto again = attempt([&](Tx& tx) -> Result<void> {
    MCPT_CHECK(tx.insert(new_object("server", "", "x", "{}")));
    return {};
  });
  REQUIRE(!again);
  CHECK(again.error().status == Status::exists);
  CHECK(again.error().message == "server \"x\" exists already");
  write([&](Tx& tx) {
    CHECK(status_of(tx.insert(new_object("prompt", project, "x", "{}"))) == Status::exists);
    CHECK(status_of(tx.insert(new_object("prompt", "no-such-id", "y", "{}"))) == Status::not_found);
    CHECK(status_of(tx.insert(new_object("prompt", "", "", "{}"))) == Status::invalid);
  });
}

TEST_CASE_FIXTURE(StoreFixture, "nothing is named like the id of something else") {
  const std::string project = add("project", "home");
  write([&](Tx& tx) {
    CHECK(status_of(tx.insert(new_object("project", "", project, "{}"))) == Status::exists);
    CHECK(status_of(tx.insert(new_object("prompt", project, project, "{}"))) == Status::exists);
  });
}

TEST_CASE_FIXTURE(StoreFixture, "lists are in byte order, of one project or of all") {
  const std::string project = add("project", "home");
  for (const char* name : {"b", "a", "B"})
    add("prompt", name);
  add("prompt", "c", project);
  auto names = [&](std::optional<std::string_view> where) {
    std::string out;
    write([&](Tx& tx) {
      auto all = tx.list("prompt", where);
      REQUIRE(all);
      for (const Object& one : *all)
        out += one.name;
    });
    return out;
  };
  CHECK(names(std::nullopt) == "Babc");
  CHECK(names("") == "Bab");
  CHECK(names(project) == "c");
  CHECK(names("no-such-id").empty());
}

TEST_CASE_FIXTURE(StoreFixture, "versions count updates and refuse a stale writer") {
  const std::string id = add("server", "x");
  clock.now_ms += 5;
  auto changes = write([&](Tx& tx) {
    auto updated = tx.update(id, "{\"a\":1}", {}, 1);
    REQUIRE(updated);
    CHECK(updated->version == 2);
    CHECK(updated->updated_ms == updated->created_ms + 5);
  });
  CHECK(changes.revision == 2);
  REQUIRE(changes.objects.size() == 1);
  CHECK(changes.objects[0].op == Op::updated);
  CHECK(changes.objects[0].version == 2);
  CHECK(changes.touches("server"));
  CHECK(!changes.touches("user"));
  auto stale = attempt([&](Tx& tx) -> Result<void> {
    MCPT_CHECK(tx.update(id, "{\"a\":2}", {}, 1));
    return {};
  });
  REQUIRE(!stale);
  CHECK(stale.error().status == Status::conflict);
  CHECK(stale.error().message == "server \"x\" is at version 2, not 1");
  CHECK(status_of(attempt([&](Tx& tx) { return tx.remove(id, 1); })) == Status::conflict);
  write([&](Tx& tx) {
    CHECK(tx.get(id)->doc == "{\"a\":1}");
    CHECK(*tx.revision() == 2);
    CHECK(status_of(tx.update("none", "{}", {})) == Status::not_found);
  });
}

TEST_CASE_FIXTURE(StoreFixture, "a job that fails leaves nothing, and tells nothing") {
  auto failed = attempt([&](Tx& tx) -> Result<void> {
    MCPT_CHECK(tx.insert(new_object("server", "", "x", "{}")));
    MCPT_CHECK(tx.set_setting("a", "b"));
    return fail(Status::denied, "no");
  });
  CHECK(status_of(failed) == Status::denied);
  write([&](Tx& tx) {
    CHECK(status_of(tx.get("server", "", "x")) == Status::not_found);
    CHECK(!*tx.setting("a"));
    CHECK(*tx.revision() == 0);
  });
}

TEST_CASE_FIXTURE(StoreFixture, "a reference keeps what it refers to, and the message says who refers") {
  const std::string secret = add("secret", "db");
  std::vector<std::string> servers;
  for (int i = 10; i < 22; ++i) {
    servers.push_back(add("server", "s" + std::to_string(i), "",
                          {{"env", secret, OnDelete::restrict_}, {"env", secret, OnDelete::restrict_}}));
  }
  auto refused = attempt([&](Tx& tx) { return tx.remove(secret); });
  REQUIRE(!refused);
  CHECK(refused.error().status == Status::conflict);
  CHECK(refused.error().message.starts_with("secret \"db\" is in use: server \"s10\" (env), server \"s11\" (env), "));
  CHECK(refused.error().message.ends_with("server \"s19\" (env) and 2 more"));
  write([&](Tx& tx) {
    CHECK(tx.referrers(secret)->size() == 12);
    CHECK(tx.refs(servers[0])->size() == 1);
    for (const std::string& id : servers)
      REQUIRE(tx.update(id, "{}", {}));
    CHECK(tx.remove(secret));
    CHECK(status_of(tx.get(secret)) == Status::not_found);
    CHECK(status_of(tx.update(servers[0], "{}", {{"env", secret, OnDelete::restrict_}})) == Status::not_found);
  });
}

TEST_CASE_FIXTURE(StoreFixture, "cascade removes the referrer, transitively; unlink leaves it") {
  const std::string server = add("server", "x");
  const std::string instance = add("instance", "x-1", "", {{"server", server, OnDelete::cascade}});
  const std::string log = add("log", "x-1-log", "", {{"instance", instance, OnDelete::cascade}});
  const std::string group = add("group", "all", "", {{"members", server, OnDelete::unlink}});
  auto changes = write([&](Tx& tx) { REQUIRE(tx.remove(server)); });
  CHECK(changes.objects.size() == 3);
  for (const ObjectChange& one : changes.objects)
    CHECK(one.op == Op::removed);
  write([&](Tx& tx) {
    for (const std::string& id : {server, instance, log})
      CHECK(status_of(tx.get(id)) == Status::not_found);
    CHECK(tx.get(group));
    CHECK(tx.refs(group)->empty());
  });
}

TEST_CASE_FIXTURE(StoreFixture, "references inside what is removed do not stand in the way, ones from outside do") {
  const std::string project = add("project", "home");
  const std::string one = add("prompt", "one", project);
  add("prompt", "two", project, {{"after", one, OnDelete::restrict_}, {"project", project, OnDelete::restrict_}});
  const std::string outside = add("link", "outside", "", {{"prompt", one, OnDelete::restrict_}});
  auto refused = attempt([&](Tx& tx) { return tx.remove(project); });
  REQUIRE(!refused);
  CHECK(refused.error().message == "project \"home\" is in use: link \"outside\" (prompt)");
  write([&](Tx& tx) {
    CHECK(tx.get(one));
    REQUIRE(tx.remove(outside));
    REQUIRE(tx.remove(project));
    CHECK(tx.list("prompt")->empty());
  });
}

TEST_CASE_FIXTURE(StoreFixture, "a circle of references can be removed whole") {
  const std::string a = add("a", "a");
  const std::string b = add("b", "b", "", {{"a", a, OnDelete::cascade}});
  write([&](Tx& tx) { REQUIRE(tx.update(a, "{}", {{"b", b, OnDelete::cascade}, {"self", a, OnDelete::restrict_}})); });
  auto changes = write([&](Tx& tx) { REQUIRE(tx.remove(a)); });
  CHECK(changes.objects.size() == 2);
}

TEST_CASE_FIXTURE(StoreFixture, "one revision per transaction, whatever it changes") {
  auto changes = write([&](Tx& tx) {
    for (int i = 0; i < 5; ++i)
      REQUIRE(tx.insert(new_object("server", "", "s" + std::to_string(i), "{}")));
  });
  CHECK(changes.revision == 1);
  CHECK(changes.objects.size() == 5);
  auto none = write([&](Tx& tx) { REQUIRE(tx.set_setting("k", "v")); });
  CHECK(none.empty());
  CHECK(none.revision == 0);
  reopen();
  write([&](Tx& tx) {
    CHECK(*tx.revision() == 1);
    CHECK(*tx.setting("k") == "v");
    REQUIRE(tx.remove_setting("k"));
    CHECK(!*tx.setting("k"));
  });
}
