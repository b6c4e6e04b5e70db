// Who may see, read and end what runs. What runs is the test's own list: see unit/gateway/instance_test.cc for the
// rest.
#include "unit/control/world.h"

using namespace mcptoken;
using namespace mcptoken::control;
using namespace mcptoken::control::testing;

namespace {

const std::string kAll = "/api/v1/instances";

struct Running : World {
  Running() {
    add("a1", "files");
    add("a2", "files");
    add("b1", "grafana");
  }
  void add(const std::string& id, const std::string& server) {
    Instance one;
    one.id = id;
    one.name = server + "-" + id;
    one.server = server;
    one.object = must(json::parse(R"({"kind":"instance","id":")" + id + R"(","name":")" + one.name + R"("})"));
    instances.push_back(std::move(one));
  }
  std::string listed(const rbac::Principal& who, const std::string& query = {}) {
    std::string out;
    const auto reply = expect(200, who, "GET", kAll + query);
    for (const auto& item : reply.json.find("items")->items())
      out += (out.empty() ? "" : " ") + item.text("name");
    return out;
  }
  std::string one(const std::string& name) { return kAll + "/" + name; }
};

}  // namespace

TEST_CASE("instances: a list holds those of servers in the caller's scope") {
  Running world;
  const auto some = world.user("some@example.org", {"role:view,resource:instances,name:files"});
  const auto all = world.user("all@example.org", {"role:view,resource:instances"});
  const auto other = world.user("other@example.org", {"role:view,resource:servers", "action:logs"});
  CHECK(world.listed(some) == "files-a1 files-a2");
  CHECK(world.listed(some, "?server=grafana").empty());
  CHECK(world.listed(all) == "files-a1 files-a2 grafana-b1");
  CHECK(world.listed(all, "?server=grafana") == "grafana-b1");
  CHECK(world.listed(all, "?limit=1") == "files-a1");
  world.expect(403, other, "GET", kAll);
  world.expect(400, all, "GET", kAll + "?project=p");
}

TEST_CASE("instances: one by id or name, a hidden one is like a missing one") {
  Running world;
  const auto some = world.user("some@example.org", {"role:view,resource:instances,name:files"});
  const auto all = world.user("all@example.org", {"role:view,resource:instances"});
  CHECK(world.expect(200, some, "GET", world.one("files-a2")).text("id") == "a2");
  CHECK(world.expect(200, some, "GET", world.one("a2")).text("name") == "files-a2");
  const auto hidden = world.expect(403, some, "GET", world.one("grafana-b1"));
  const auto missing = world.expect(403, some, "GET", world.one("grafana-b2"));
  CHECK(hidden.headers == missing.headers);
  CHECK(hidden.body.find("b1") != std::string::npos);
  world.expect(404, all, "GET", world.one("grafana-b2"));
  world.expect(404, all, "GET", world.one("files"));
}

TEST_CASE("instances: logs need the operation and the view, neither alone will do") {
  Running world;
  const auto reader = world.user("r@example.org", {"role:view,resource:instances,name:files", "action:logs"});
  const auto viewer = world.user("v@example.org", {"role:edit,resource:*"});
  const auto logger = world.user("l@example.org", {"action:logs", "role:view,resource:servers"});
  const auto reply = world.expect(200, reader, "GET", world.one("files-a1/logs?tail=7"));
  CHECK(reply.text("instance") == "files-a1");
  CHECK(reply.text("server") == "files");
  CHECK(reply.json.find("lines")->items().size() == 5);
  world.expect(403, reader, "GET", world.one("grafana-b1/logs"));
  world.expect(403, viewer, "GET", world.one("files-a1/logs"));
  world.expect(403, logger, "GET", world.one("files-a1/logs"));
  for (auto tail : {"0", "-1", "x", "1000001", ""})
    world.expect(400, reader, "GET", world.one("files-a1/logs?tail=") + tail);
  world.expect(400, reader, "GET", world.one("files-a1/logs?follow=true"));
}

TEST_CASE("instances: a log goes on where its reader was, and the end of it can be had alone") {
  Running world;
  const auto reader = world.user("r@example.org", {"role:view,resource:instances,name:files", "action:logs"});
  const auto lines = [&](const std::string& query) {
    std::string out;
    const auto reply = world.expect(200, reader, "GET", world.one("files-a1/logs" + query));
    for (const auto& line : reply.json.find("lines")->items())
      out += line.text("text").back();
    return out;
  };
  const std::string cursor = world.expect(200, reader, "GET", world.one("files-a1/logs?tail=1")).text("cursor");
  CHECK(cursor == "14");
  CHECK(lines("?tail=2") == "34");
  CHECK(lines("?after=" + cursor) == "");
  CHECK(lines("?after=") == "01234");
  CHECK(lines("?after=11") == "234");
  CHECK(lines("?after=11&tail=1") == "4");
  CHECK(lines("?after=3") == "01234");  // what is between has gone
  for (const char* wrong : {"x", "0", "-1", "1x", "2026-01-01T00:00:00.001Z/2"})
    world.expect(400, reader, "GET", world.one("files-a1/logs?after=") + wrong);
}

TEST_CASE("instances: ending one needs the right on its server, and is recorded") {
  Running world;
  const auto viewer = world.user("v@example.org", {"role:view,resource:instances", "action:logs"});
  const auto files = world.user("f@example.org", {"role:delete,resource:instances,name:files"});
  world.expect(403, viewer, "DELETE", world.one("files-a1"));
  world.expect(403, files, "DELETE", world.one("grafana-b1"));
  CHECK(world.ended.empty());
  CHECK(world.events(audit::Kind::object_changed).empty());
  CHECK(world.expect(200, files, "DELETE", world.one("files-a1")).text("id") == "a1");
  CHECK(world.ended == std::vector<std::string>{"a1"});
  const auto events = world.events(audit::Kind::object_changed);
  REQUIRE(events.size() == 1);
  CHECK(events[0].subject == "instance/files-a1");
  CHECK(events[0].server == "files");
  CHECK(events[0].user == "f@example.org");
}

TEST_CASE("instances: none is made or changed over REST") {
  std::vector<std::string_view> allowed;
  Params params;
  for (const std::vector<std::string>& path :
       {std::vector<std::string>{"api", "v1", "instances"}, {"api", "v1", "instances", "files-a1"}}) {
    for (auto method : {"POST", "PUT", "PATCH"})
      CHECK(match(method, path, params, allowed) == nullptr);
    CHECK_FALSE(allowed.empty());
  }
}
