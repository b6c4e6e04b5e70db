// Descriptions and questions about others: what is told, and to whom.
#include "unit/control/filled.h"

using namespace mcptoken;
using namespace mcptoken::control;
using namespace mcptoken::control::testing;

namespace {

constexpr auto kCheck = "/api/v1/authz/check";

std::string words(const Value* list, const std::string& member = {}) {
  std::string out;
  for (const auto& one : list ? list->items() : std::vector<Value>())
    out += (out.empty() ? "" : " ") + (member.empty() ? *one.as_string() : one.text(member));
  return out;
}

Instance running(const std::string& server, std::vector<std::string> tools) {
  Instance one;
  one.id = one.name = server + "-1";
  one.server = server;
  one.tools = std::move(tools);
  one.object = must(json::parse(R"({"kind":"instance","name":")" + server +
                                R"(-1","status":"ERROR","events":[{"text":"it fell"}]})"));
  return one;
}

}  // namespace

TEST_CASE("describe: a token's bindings, what of them its owner lacks, and the tools that are left") {
  World world;
  const auto root = world.admin();
  world.expect(201, root, "POST", "/api/v1/servers", R"({"name":"s","externalUrl":"https://e.org/"})");
  world.expect(201, root, "POST", "/api/v1/servers", R"({"name":"t","externalUrl":"https://e.org/"})");
  world.expect(201, root, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none","servers":["s","t"]})");
  world.instances = {running("s", {"read", "write"}), running("t", {"other"})};
  const auto owner = world.user("o@example.org", {"role:view,resource:projects", "role:create,resource:mcptokens"});
  world.expect(201, root, "POST", "/api/v1/rbac",
               R"({"name":"lent","subjects":["User:o@example.org"],"roleBindings":["role:run,resource:tools"]})");
  world.expect(201, owner, "POST", "/api/v1/mcptokens",
               R"({"name":"a","project":"p","bindings":["role:run,resource:tools,name:s/read"]})");
  const auto path = "/api/v1/mcptokens/a/describe?project=p";
  auto told = world.expect(200, owner, "GET", path);
  CHECK(words(told.json.find("effective")) == "role:run,resource:tools,name:s/read");
  const auto& binding = told.json.find("bindings")->items()[0];
  CHECK(binding.text("source") == "the token itself");
  CHECK(binding.find("exceedsOwner")->as_bool() == false);
  const auto& reach = told.json.find("reach")->items();
  CHECK(words(reach[0].find("tools")) == "read");
  CHECK(reach[0].find("of")->as_int() == 2);
  CHECK(reach[1].find("callable")->as_bool() == false);
  CHECK(told.text("mayCall") == "may call 1 tool on 1 server");
  // The owner is demoted: the token says so, and reaches nothing.
  world.expect(200, root, "DELETE", "/api/v1/rbac/lent");
  told = world.expect(200, owner, "GET", path);
  CHECK(told.json.find("bindings")->items()[0].find("exceedsOwner")->as_bool() == true);
  CHECK(words(told.json.find("effective")).empty());
  CHECK(words(told.json.find("reach")->items()[0].find("tools")).empty());
  CHECK(told.text("mayCall") == "may call no tools");
  world.expect(403, world.user("x@example.org", {"role:view,resource:projects"}), "GET", path);
}

TEST_CASE("describe: access of users and groups, holders of definitions, use of secrets") {
  Filled world;
  world.fill();
  const auto user = world.expect(200, world.root, "GET", "/api/v1/users/ada@example.org/describe");
  CHECK(words(user.json.find("groups")) == "team");
  CHECK(words(user.json.find("access"), "binding") ==
        "role:view,resource:servers action:logs role:view,resource:servers action:logs");
  CHECK(words(user.json.find("access"), "through") == "group/team group/team");  // two of four
  const auto group = world.expect(200, world.root, "GET", "/api/v1/groups/team/describe");
  CHECK(words(group.json.find("access"), "source") == "rbac/readers rbac/readers");
  const auto rbac = world.expect(200, world.root, "GET", "/api/v1/rbac/readers/describe");
  CHECK(words(rbac.json.find("holders"), "who")
            .find("User:ada@example.org User:ada@example.org ServiceAccount:project:p") == 0);
  CHECK(words(world.expect(200, world.root, "GET", "/api/v1/secrets/keys/describe").json.find("usedBy")) ==
        "project/p server/local server/web");
  // Who may view the user alone is not told of roles, groups or tokens.
  const auto narrow = world.user("n@example.org", {"role:view,resource:users", "role:view,resource:secrets"});
  const auto little = world.expect(200, narrow, "GET", "/api/v1/users/ada@example.org/describe");
  CHECK(words(little.json.find("access"), "binding").empty());
  CHECK(words(little.json.find("groups")).empty());
  CHECK(words(world.expect(200, narrow, "GET", "/api/v1/secrets/keys/describe").json.find("usedBy")).empty());
  CHECK(world.expect(200, narrow, "GET", "/api/v1/secrets/keys/describe").body.find(kSecretValue) == std::string::npos);
}

TEST_CASE("describe: of long lists a beginning is shown, and how long they are") {
  World world;
  const auto root = world.admin();
  world.expect(201, root, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none"})");
  const auto add = [&](int number) {
    const auto name = "n" + std::to_string(number);
    world.expect(201, root, "POST", "/api/v1/prompts", R"({"project":"p","content":"c","name":")" + name + "\"}");
    world.expect(201, root, "POST", "/api/v1/mcptokens", R"({"project":"p","name":")" + name + "\"}");
  };
  for (int i = 0; i < 200; i++)
    add(i);
  auto told = world.expect(200, root, "GET", "/api/v1/projects/p/describe");
  CHECK(told.json.find("shown") == nullptr);
  CHECK(told.json.find("tokens")->items().size() == 200);
  add(200);
  told = world.expect(200, root, "GET", "/api/v1/projects/p/describe");
  CHECK(told.text("shown") == "200 of 201 tokens; 200 of 201 prompts");
  for (auto name : {"tokens", "prompts"})
    CHECK(told.json.find(name)->items().size() == 200);
  CHECK(told.json.find("tokens")->items().back().text("kind") == "mcptoken");
}

TEST_CASE("describe: instances and errors of a server are for whoever may view them") {
  World world;
  const auto root = world.admin();
  world.expect(201, root, "POST", "/api/v1/servers", R"({"name":"s","externalUrl":"https://e.org/"})");
  world.instances = {running("s", {"read"})};
  const auto path = "/api/v1/servers/s/describe";
  CHECK(world.expect(200, root, "GET", path).text("lastError") == "it fell");
  const auto narrow = world.expect(200, world.user("n@example.org", {"role:view,resource:servers"}), "GET", path);
  CHECK(narrow.json.find("instances") == nullptr);
  CHECK(narrow.json.find("lastError") == nullptr);
  CHECK(words(narrow.json.find("tools")) == "read");
}

TEST_CASE("describe: a prompt's link, and whether it could be followed") {
  Filled world;
  world.fill();
  world.expect(201, world.root, "POST", "/api/v1/prompts", R"({"name":"own","project":"p","content":"x"})");
  CHECK(world.expect(200, world.root, "GET", "/api/v1/prompts/own/describe?project=p").json.find("link") == nullptr);
  const auto made = world.expect(201, world.root, "POST", "/api/v1/prompts",
                                 R"({"name":"led","project":"p","content":"x","linkTarget":"p/web:file:///x"})");
  const auto link = [&] {
    const auto told = world.expect(200, world.root, "GET", "/api/v1/prompts/led/describe?project=p");
    const auto& row = told.json.find("link")->items().at(0);
    return row.text("target") + " " + row.text("health") + " " + row.text("failure");
  };
  CHECK(link() == "p/web:file:///x unknown ");
  world.links[made.text("id")] = "web: not reachable";
  CHECK(link() == "p/web:file:///x unhealthy web: not reachable");
  world.links[made.text("id")] = "";
  CHECK(link() == "p/web:file:///x healthy ");
}

TEST_CASE("a check about somebody else: users for who may impersonate, tokens for who may view them") {
  Filled world;
  world.fill();
  const auto about = [&](const rbac::Principal& who, const std::string& as, int status) {
    return world.expect(status, who, "POST", kCheck,
                        R"({"action":"view","resource":"servers","name":"web","as":)" + as + "}");
  };
  const std::string ada = R"({"kind":"User","name":"ada@example.org"})";
  const std::string agent = R"({"kind":"McpToken","name":"agent","project":"p"})";
  CHECK(about(world.root, ada, 200).json.find("allowed")->as_bool() == true);
  CHECK(about(world.root, agent, 200).json.find("allowed")->as_bool() == true);
  const auto weak = world.user("w@example.org", {"role:edit,resource:*"});
  about(weak, ada, 403);
  about(world.user("v@example.org", {"role:view,resource:projects"}), agent, 403);
  about(world.bearer(world.raw), ada, 403);
  about(world.root, R"({"kind":"User","name":"gone@example.org"})", 404);
  about(world.root, R"({"kind":"Robot","name":"x"})", 400);
  const auto list = world.expect(200, world.root, "POST", kCheck, R"({"list":true,"as":)" + agent + "}");
  CHECK_MESSAGE(list.json.find("permissions")->items().size() == 4, list.body);  // view servers implies their tools
  world.clock.now += 31LL * 24 * 3600'000;
  CHECK(about(world.root, agent, 200).json.find("allowed")->as_bool() == false);  // it has ended
  world.expect(400, world.root, "POST", kCheck, R"({"list":true,"action":"view"})");
}

TEST_CASE("a token that is made says what it may call; a project's tools are those of the caller") {
  World world;
  const auto root = world.admin();
  for (const std::string name : {"s", "t", "u"})
    world.expect(201, root, "POST", "/api/v1/servers", R"({"name":")" + name + R"(","externalUrl":"https://e.org/"})");
  world.expect(201, root, "POST", "/api/v1/projects", R"({"name":"p","proxyModel":"none","servers":["s","t"]})");
  world.instances = {running("s", {"read", "write", "other"}), running("u", {"elsewhere"})};
  const auto mint = [&](const std::string& name, const std::string& bindings) {
    return world.expect(201, root, "POST", "/api/v1/mcptokens",
                        R"({"name":")" + name + R"(","project":"p","ttl":"1h","bindings":[)" + bindings + "]}");
  };
  CHECK(mint("none", "").text("mayCall") == "may call no tools");
  CHECK(mint("one", R"("role:run,resource:tools,name:s/read")").text("mayCall") == "may call 1 tool on 1 server");
  CHECK(mint("two", R"("role:view,resource:servers,name:s")").text("mayCall") == "may call 3 tools on 1 server");
  const auto all = mint("all", R"("role:view,resource:servers")");
  CHECK(all.text("mayCall") == "may call 3 tools on 2 servers, of which 1 has not listed any yet");
  CHECK(mint("t", R"("role:view,resource:servers,name:t")").text("mayCall") ==
        "may call tools on 1 server, which has not listed any yet");
  world.instances.push_back(running("t", {"more"}));
  const auto next = world.expect(201, root, "POST", "/api/v1/mcptokens/" + all.text("id") + "/rotate", "{}");
  CHECK(next.text("mayCall") == "may call 4 tools on 2 servers");

  const auto tools = [&](const rbac::Principal& who, const std::string& path) {
    return words(world.expect(200, who, "GET", "/api/v1/projects/p" + path).json.find("items"), "tool");
  };
  CHECK(tools(root, "/tools") == "other read write more");
  CHECK(tools(root, "/servers/t/tools") == "more");
  const auto some = world.bearer(
      mint("some", R"("role:view,resource:projects,name:p","role:run,resource:tools,name:s/w*")").text("token"));
  CHECK(tools(some, "/tools") == "write");
  CHECK(tools(some, "/servers/s/tools") == "write");
  // Not attached, not there, and nothing to be seen of it look alike.
  const auto hidden = world.expect(404, some, "GET", "/api/v1/projects/p/servers/t/tools");
  const auto missing = world.expect(404, some, "GET", "/api/v1/projects/p/servers/x/tools");
  CHECK(hidden.body == missing.body);
  world.expect(404, root, "GET", "/api/v1/projects/p/servers/u/tools");
  // A user who may view the project alone sees that there are servers, and nothing that they offer.
  const auto viewer = world.user("v@example.org", {"role:view,resource:projects"});
  CHECK(tools(viewer, "/tools").empty());
  // The description of its project is for a token, too: with what it may call alone.
  const auto about = world.expect(200, some, "GET", "/api/v1/projects/p/describe");
  CHECK(about.json.find("tokens") == nullptr);
  CHECK(words(about.json.find("servers"), "server") == "s");
  CHECK(about.json.find("servers")->items()[0].find("tools")->as_int() == 1);
  CHECK(words(world.expect(200, root, "GET", "/api/v1/projects/p/describe").json.find("servers"), "server") == "s t");
  const auto page = world.expect(200, root, "GET", "/api/v1/projects/p/tools?limit=3");
  CHECK(tools(root, "/tools?cursor=" + page.text("cursor")) == "more");
  world.instances.clear();
  CHECK(words(world.expect(200, root, "GET", "/api/v1/projects/p/tools").json.find("notListed")) == "s t");

  // The same function answers the question whether it may.
  const auto may = [&](const std::string& name) {
    return world.expect(200, some, "POST", kCheck, R"({"action":"run","resource":"tools","name":")" + name + "\"}");
  };
  CHECK(may("s/write").json.find("allowed")->as_bool() == true);
  CHECK(may("s/read").json.find("allowed")->as_bool() == false);
  const auto wide = world.bearer(mint("wide", R"("role:run,resource:tools")").text("token"));
  const auto other =
      world.expect(200, wide, "POST", kCheck, R"({"action":"run","resource":"tools","name":"u/elsewhere"})");
  CHECK(other.json.find("allowed")->as_bool() == false);
  CHECK(other.text("rule") == R"(server "u" is not attached to project p)");
}
