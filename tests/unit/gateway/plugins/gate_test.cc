// The gate at the endpoint, with the example server behind it.
#include "gateway/plugins/gate.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "../world.h"
#include "gateway/plugins/model.h"
#include "json/writer.h"

namespace mcptoken::gateway {
namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

struct Gated : World {
  explicit Gated(size_t loops = 1) : World(loops) {
    attach_example("one");
    project->model = read_model(*json::parse(R"({"name":"gate","gate":true})"));
    project->instructions = "Be kind.";
    auto texts = std::make_shared<std::map<std::string, std::string, std::less<>>>();
    (*texts)["gate-instructions"] = "Begin first.";
    (*texts)["gate-encouragement"] = "More:\n{{prompts}}";
    (*texts)["gate-encouragement-propose"] = "Propose.";
    (*texts)["gate-intercept-preamble"] = "Read this.";
    project->system = texts;
    add("lights", "All about lights.", 5);
    add("always", "House rules.", 10);
    add("garden", "Water it.", 5);
  }
  void add(const std::string& name, const std::string& content, int64_t priority) {
    auto all = std::make_shared<Prompts>(project->prompts ? *project->prompts : Prompts());
    auto one = std::make_shared<Prompt>();
    one->id = one->name = name;
    one->content = content;
    one->priority = priority;
    complete_prompt(*one);
    all->push_back(one);
    project->prompts = all;
    project->has_prompts = true;
  }
  static std::vector<std::string> names(Visit& visit, const std::string& list = "tools") {
    std::vector<std::string> out;
    auto answer = visit.answer();
    REQUIRE_MESSAGE(answer.find("result"), visit.last());
    for (auto& item : answer.find("result")->find(list)->items())
      out.push_back(item.text("name"));
    return out;
  }
  std::vector<std::string> tools(size_t site = 0) { return names(send(request("1", "tools/list"), {}, site)); }
  std::vector<std::string> modern_tools() {
    return names(send(modern("1", "tools/list"), modern_headers("tools/list")));
  }
  std::string text(Visit& visit) {
    auto answer = visit.answer();
    REQUIRE_MESSAGE(answer.find("result"), visit.last());
    return answer.find("result")->find("content")->items()[0].text("text");
  }
  Visit& begin_session(const std::string& arguments = R"({"tags":["lights","evening","scene"]})", size_t site = 0) {
    return send(call("1", "begin_session", arguments), {}, site);
  }
  bool listed(size_t site = 0) { return tools(site).size() > 2; }
};
using Names = std::vector<std::string>;

TEST_CASE("a gated list is exactly begin_session, and texts name no parameter") {
  Gated world;
  CHECK(world.tools() == Names{"begin_session"});
  CHECK(world.modern_tools() == Names{"begin_session"});
  auto& visit = world.send(World::request("1", "tools/list"));
  CHECK(has(visit.last(), R"("minItems":3,"maxItems":7)"));
  CHECK_FALSE(has(visit.last(), R"("description":"What you are about)"));
  auto& init = world.send(
      World::request("0", "initialize",
                     R"({"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"2"}})"));
  CHECK(init.answer().find("result")->text("instructions") == "Be kind.\n\nBegin first.");
  auto& discovered = world.send(World::modern("1", "server/discover"), World::modern_headers("server/discover"));
  CHECK(discovered.answer().find("result")->text("instructions") == "Be kind.\n\nBegin first.");
}

TEST_CASE("begin_session answers with what fits, an index and encouragement, and opens the gate") {
  Gated world;
  const auto text = world.text(world.begin_session());
  CHECK(text ==
        "## always\nHouse rules.\n\n## lights\nAll about lights.\n\nMore:\n- garden: Water it. (1 line)\n\nPropose.");
  const auto tools = world.tools();
  CHECK(tools.size() > 3);
  CHECK(std::find(tools.begin(), tools.end(), "begin_session") == tools.end());
  CHECK(tools[0] == "read_prompts");
  CHECK(tools[1] == "propose_prompt");
  CHECK(world.modern_tools().size() == tools.size());
  const auto records = world.plane.records();
  CHECK(std::any_of(records.begin(), records.end(), [](auto& one) {
    return one.kind == RecordKind::gate && has(one.payload, R"("tags":["lights","evening","scene"])");
  }));
  CHECK(std::any_of(records.begin(), records.end(), [](auto& one) {
    return one.kind == RecordKind::prompt && one.payload == R"({"prompts":["always","lights"]})";
  }));
}

TEST_CASE("wrong arguments are said, and leave the gate closed") {
  Gated world;
  for (auto arguments :
       {"{}", R"({"tags":["a","b"]})", R"({"tags":["a","b",1]})", R"({"tags":["1","2","3","4","5","6","7","8"]})",
        R"({"tags":["a","b",""]})", R"({"description":"x"})"}) {
    auto& visit = world.begin_session(arguments);
    CHECK(has(visit.last(), R"("isError":true)"));
    CHECK(has(visit.last(), "tag"));
  }
  CHECK(world.tools() == Names{"begin_session"});
}

TEST_CASE("the gate is open for the token, on every loop, in every session and era, and for nobody else") {
  Gated world(2);
  CHECK_FALSE(world.listed(1));
  const auto session = world.session();
  world.send(World::call("1", "begin_session", R"({"tags":["a","b","c"]})"), {{"mcp-session-id", session}});
  CHECK(world.listed(1));
  CHECK(world.listed(0));
  const auto me = world.who;
  auto other = std::make_shared<rbac::Principal>(*me);
  other->token_sha = std::string(64, 'b');
  rbac::Definition everybody;
  everybody.id = everybody.name = "e";
  everybody.subjects = {{rbac::SubjectKind::mcp_token, std::string(64, 'a')},
                        {rbac::SubjectKind::mcp_token, std::string(64, 'b')}};
  everybody.bindings.push_back(*rbac::parse_binding("role:run,resource:tools"));
  world.project->policy = std::make_shared<const rbac::Policy>(std::vector{everybody}, std::vector<rbac::Group>{},
                                                               rbac::Ceiling::mint, rbac::ToolGrant::run);
  world.who = other;
  CHECK(world.tools() == Names{"begin_session"});
  world.who = me;
  CHECK(world.listed());
}

TEST_CASE("an open gate is asked about once, a closed one each time") {
  Gated world;
  world.tools();
  world.tools();
  CHECK(world.plane.gate_questions == 2);
  world.begin_session();
  const int before = world.plane.gate_questions;
  world.tools();
  world.tools();
  CHECK(world.plane.gate_questions == before);
}

TEST_CASE("a gate that was opened elsewhere, or before a restart, is open here; one whose time is over is closed") {
  Gated world;
  const int64_t now = world.loop().clock().wall_ms();
  GateState state;
  state.until_ms = now - 1;
  world.plane.gates[world.who->token_sha] = state;
  CHECK_FALSE(world.listed());
  state.until_ms = now + 60'000;
  world.plane.gates[world.who->token_sha] = state;
  CHECK(world.listed());
}

TEST_CASE("who begins anew is given everything anew, after the time of an open gate and within it") {
  Gated world;
  const auto first = world.text(world.begin_session());
  CHECK(has(first, "## always\n"));
  CHECK(has(first, "## lights\n"));
  CHECK(world.text(world.begin_session()) == first);
  Gated later;
  auto& state = later.plane.gates[later.who->token_sha];
  state.until_ms = later.loop().clock().wall_ms() - 1;
  state.given = {"always", "lights"};
  CHECK(later.text(later.begin_session()) == first);
}

TEST_CASE("calling a tool opens the gate and puts what fits in front of the result") {
  Gated world;
  auto& visit = world.send(World::call("1", "one__echo", R"({"message":"switch the lights"})"));
  auto content = visit.answer().find("result")->find("content")->items();
  REQUIRE(content.size() == 2);
  CHECK(content[0].text("text").starts_with("Read this.\n\n## always\nHouse rules.\n\n## lights\n"));
  CHECK(has(content[1].text("text"), "switch the lights"));
  CHECK(world.listed());
  auto& again = world.send(World::call("1", "one__echo", R"({"message":"switch the lights"})"));
  CHECK(again.answer().find("result")->find("content")->items().size() == 1);
}

TEST_CASE("a client that listens, and one that waits for the answer, hear that the tools are others") {
  Gated world;
  const auto session = world.session();
  Visit& stream = world.begin("GET", "", {{"mcp-session-id", session}});
  world.turn_until([&] { return world.gateway->site(0).listeners.size() == 1; });
  auto& visit =
      world.send(World::call("1", "begin_session", R"({"tags":["a","b","c"]})"), {{"mcp-session-id", session}});
  REQUIRE(visit.messages().size() == 2);
  CHECK(has(visit.messages()[0], "notifications/tools/list_changed"));
  world.turn_until([&] {
    auto all = stream.messages();
    return std::any_of(all.begin(), all.end(), [](auto& one) { return has(one, "notifications/tools/list_changed"); });
  });
  stream.link.scope.cancel();
  world.finish(stream);
}

TEST_CASE("read_prompts reads more, what was not given yet first") {
  Gated world;
  world.begin_session();
  auto read = [&](const std::string& arguments) {
    return world.text(world.send(World::call("1", "read_prompts", arguments)));
  };
  CHECK(read(R"({"tags":["garden"]})") ==
        "## garden\nWater it.\n\nOthers:\n- always: House rules. (1 line)\n- lights: All about lights. (1 line)\n");
  CHECK(read(R"({"tags":["lights"]})").starts_with("## lights\n"));
  CHECK(read(R"({"tags":["nothing-like-it"]})").starts_with("No prompt is about that.\nOthers:\n"));
  CHECK(has(world.send(World::call("1", "read_prompts", "{}")).last(), R"("isError":true)"));
}

TEST_CASE("propose_prompt goes to the control plane, and its refusal to the client") {
  Gated world;
  auto propose = [&](const std::string& arguments) -> Visit& {
    return world.send(World::call("1", "propose_prompt", arguments));
  };
  CHECK(world.text(propose(R"({"name":"new-one","content":"text"})")) == "\"new-one\" waits for approval.");
  REQUIRE(world.plane.proposals.size() == 1);
  CHECK(world.plane.proposals[0].content == "text");
  CHECK(world.text(propose(R"({"name":"refused","content":"text"})")) == "you may not (ask somebody)");
  CHECK(has(propose(R"({"name":"Bad Name","content":"text"})").last(), R"("isError":true)"));
  CHECK(has(propose(R"({"name":"x"})").last(), R"("isError":true)"));
}

TEST_CASE("who may call nothing has no gate, and a project without one has none of its tools") {
  Gated world;
  world.allow({});
  CHECK(world.tools().empty());
  CHECK(has(world.begin_session().last(), "Unknown tool: begin_session"));
  world.allow({"role:run,resource:tools"});
  world.project->model = nullptr;
  CHECK(has(world.begin_session().last(), "Unknown tool: begin_session"));
  const auto tools = world.tools();
  CHECK(std::find(tools.begin(), tools.end(), "read_prompts") == tools.end());
}

TEST_CASE("with a model behind it begin_session takes a description, and says so") {
  Gated world;
  world.project->llm = std::make_shared<const LlmSpec>();
  auto& list = world.send(World::request("1", "tools/list"));
  CHECK(has(list.last(), R"("required":["description"])"));
  CHECK_FALSE(has(list.last(), R"("tags")"));
  CHECK(has(world.begin_session().last(), R"("isError":true)"));
  CHECK(world.text(world.begin_session(R"({"description":"I will switch the lights."})"))
            .starts_with("## always\nHouse rules.\n\n## lights\n"));
}

TEST_CASE("the project's own prompts are MCP prompts, in front of those of servers") {
  Gated world;
  world.allow({"role:view,resource:servers", "role:run,resource:tools"});
  CHECK(Gated::names(world.send(World::request("1", "prompts/list")), "prompts") ==
        Names{"lights", "always", "garden", "one__greet"});
  auto& visit = world.send(World::request("1", "prompts/get", R"({"name":"garden"})"));
  CHECK(
      json::to_text(*visit.answer().find("result")) ==
      R"x({"description":"Water it. (1 line)","messages":[{"role":"user","content":{"type":"text","text":"Water it."}}]})x");
  CHECK(has(world.send(World::request("1", "prompts/get", R"({"name":"no-such"})")).last(), "Unknown prompt: no-such"));
  CHECK(
      has(world.send(World::request("1", "prompts/get", R"({"name":"one__greet","arguments":{"name":"Ada"}})")).last(),
          "Ada"));
}

TEST_CASE("a prompt that follows a resource has its text; one whose link is broken has its own, and that is noted") {
  Gated world;
  world.allow({"role:view,resource:servers", "role:run,resource:tools"});
  auto all = std::make_shared<Prompts>();
  for (auto [name, link] :
       {std::pair("good", "home/one:example://notes"), std::pair("bad", "home/one:example://missing"),
        std::pair("away", "home/other:example://notes")}) {
    auto one = std::make_shared<Prompt>();
    one->id = one->name = name;
    one->content = "its own";
    read_link(link, *one);
    all->push_back(one);
  }
  world.project->prompts = all;
  auto get = [&](const std::string& name) {
    auto& visit = world.send(World::request("1", "prompts/get", R"({"name":")" + name + R"("})"));
    return visit.answer().find("result")->find("messages")->items()[0].find("content")->text("text");
  };
  CHECK(get("good") != "its own");
  CHECK(get("bad") == "its own");
  CHECK(get("away") == "its own");
  CHECK(world.plane.link_failures["good"].empty());
  CHECK_FALSE(world.plane.link_failures["bad"].empty());
  CHECK(has(world.plane.link_failures["away"], "cannot be reached from here"));
}

ModelPtr gate_and(const std::string& stages) {
  return read_model(
      *json::parse(R"({"name":"m","gate":true,"content":{"appliesTo":["prompt"],"stages":[)" + stages + "]}}"));
}

TEST_CASE("the project's own prompts go through its pipeline, and can be looked into in both eras") {
  Gated world;
  world.allow({"role:view,resource:servers", "role:run,resource:tools"});
  std::string text;
  for (int i = 0; text.size() < 20'000; ++i)
    text += "Line " + std::to_string(i) + " says größe 🙂 key-" + std::to_string(i) + ".\n";
  world.add("long", text, 5);
  world.project->model = gate_and(R"({"type":"paginate","config":{"pageSize":1000}})");
  const auto get = [&](bool modern, const std::string& name, const std::string& more = "") {
    const std::string members = R"("name":")" + name + R"(","arguments":{)" + more + "}";
    auto& visit =
        modern ? world.send(World::modern("1", "prompts/get", members), World::modern_headers("prompts/get", name))
               : world.send(World::request("1", "prompts/get", "{" + members + "}"));
    return visit.answer();
  };
  const auto said = [](const json::Value& answer, size_t index) {
    REQUIRE_MESSAGE(answer.find("result"), json::to_text(answer));
    const auto& messages = answer.find("result")->find("messages")->items();
    REQUIRE(messages.size() > index);
    return messages[index].find("content")->text("text");
  };
  for (const bool modern : {false, true}) {
    CAPTURE(modern);
    const auto first = get(modern, "long");
    std::string all = said(first, 0);
    CHECK(all.size() <= 1000);
    CHECK((first.find("result")->text("resultType") == "complete") == modern);
    const auto index = said(first, 1);
    CHECK(has(index, "get this prompt again"));
    const auto id = index.substr(index.find("res_"), 24);
    const auto part = [&](const std::string& name, const std::string& which) {
      return get(modern, name, R"("_resultId":")" + id + R"(","_page":")" + which + "\"");
    };
    for (size_t page = 2; all.size() < text.size(); ++page)
      all += said(part("long", std::to_string(page)), 0);
    CHECK(all == text);
    CHECK(said(part("long", "all"), 0) == text);
    CHECK(has(part("garden", "2").find("error")->text("message"), "not known"));
    const auto me = world.who;
    auto other = std::make_shared<rbac::Principal>(*me);
    other->token_sha = std::string(64, 'b');
    world.who = other;
    CHECK(has(part("long", "2").find("error")->text("message"), "not known"));
    world.who = me;
    CHECK(said(get(modern, "garden"), 0) == "Water it.");
  }
  const auto listed = json::to_text(world.send(World::request("1", "prompts/list")).answer());
  CHECK(has(listed, R"("arguments":[{"name":"_resultId")"));
  CHECK(has(listed, R"("name":"garden")"));
  world.project->model = gate_and(R"({"type":"truncate","config":{"maxBytes":100}})");
  CHECK(said(get(false, "long"), 0).size() <= 100);
  CHECK_FALSE(has(json::to_text(world.send(World::request("1", "prompts/list")).answer()), "_resultId"));
  const auto records = world.plane.records();
  CHECK(std::any_of(records.begin(), records.end(), [](auto& one) {
    return one.kind == RecordKind::pipeline && one.server.empty() && one.subject == "long";
  }));
  world.project->model = read_model(*json::parse(R"({"name":"m","gate":true,"error":"no such thing"})"));
  CHECK(has(get(false, "long").find("error")->text("message"), "cannot be used"));
}

TEST_CASE("what the gate hands out has gone through the stages that hide something, and stays within its budget") {
  Gated world;
  world.add("keys", "The key of the lights is sk-12345.", 5);
  world.project->model = gate_and(R"({"type":"regex-redact","config":{"patterns":["sk-[0-9]+"]}})");
  const auto begun = world.text(world.begin_session(R"({"tags":["lights","keys","x"]})"));
  CHECK(has(begun, "The key of the lights is [redacted]."));
  const auto read = world.text(world.send(World::call("1", "read_prompts", R"({"tags":["keys"]})")));
  CHECK(has(read, "[redacted]"));
  CHECK_FALSE(has(read, "sk-"));
  Gated hasty;
  hasty.add("keys", "The key of the lights is sk-12345.", 5);
  hasty.project->model = world.project->model;
  CHECK_FALSE(has(hasty.send(World::call("1", "one__echo", R"({"message":"lights keys"})")).last(), "sk-"));
  // Texts behind links are not known when prompts are selected.
  Selection selection;
  for (const char* name : {"b", "a", "c"}) {
    auto one = std::make_shared<Prompt>();
    one->name = name;
    one->content = std::string(5'000, 'x');
    selection.full.push_back(one);
  }
  keep_budget(selection, kPromptBudget);
  REQUIRE(selection.full.size() == 1);
  CHECK(selection.full[0]->name == "b");
  REQUIRE(selection.index.size() == 2);
  CHECK(selection.index[0]->name == "a");
  // A model that cannot be used may have had to hide something.
  Gated broken;
  broken.project->model = read_model(*json::parse(R"({"name":"m","gate":true,"error":"no such thing"})"));
  const auto nothing = broken.text(broken.begin_session());
  CHECK_FALSE(has(nothing, "All about lights."));
  CHECK_FALSE(has(nothing, "House rules."));
}

TEST_CASE("what a link led to for one token is read anew for another") {
  Gated world;
  world.allow({"role:view,resource:servers", "role:run,resource:tools"});
  auto one = std::make_shared<Prompt>();
  one->id = one->name = "linked";
  one->content = "its own";
  read_link("home/one:example://notes", *one);
  world.project->prompts = std::make_shared<const Prompts>(Prompts{one});
  world.send(World::request("1", "prompts/get", R"({"name":"linked"})"));
  CHECK(world.gateway->site(0).links.size() == 1);
  world.send(World::request("1", "prompts/get", R"({"name":"linked"})"));
  CHECK(world.gateway->site(0).links.size() == 1);
  auto other = std::make_shared<rbac::Principal>(*world.who);
  other->token_sha = std::string(64, 'b');
  world.who = other;
  world.send(World::request("1", "prompts/get", R"({"name":"linked"})"));
  CHECK(world.gateway->site(0).links.size() == 2);
}

}  // namespace
}  // namespace mcptoken::gateway
