// The content pipeline on prompts and resources, and what tools answer from the cache.
#include <doctest/doctest.h>

#include <fstream>

#include "../world.h"
#include "gateway/plugins/content.h"
#include "json/writer.h"
#include "random_text.h"

namespace mcptoken::gateway {
namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

constexpr const char* kPrompts = R"({"name":"plain","description":"d"},{"name":"asks","arguments":[{"name":"topic"}]},)"
                                 R"({"name":"own","arguments":[{"name":"_page"}]})";

// Answers prompts/get, resources/read and tools/call with the files of those names, which are complete results.
std::string server(const std::string& dir) {
  return "dir='" + dir + "'\nprompts='" + std::string(kPrompts) + R"sh('
say() { printf '{"jsonrpc":"2.0","id":%s,%s}\n' "$id" "$1"; }
file() { echo "$line" >> "$dir/calls"; printf '{"jsonrpc":"2.0","id":%s,"result":' "$id"; cat "$dir/$1"; printf '}\n'; }
while IFS= read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}
  case "$line" in
    *'"method":"server/discover"'*) say '"error":{"code":-32601,"message":"x"}' ;;
    *'"method":"initialize"'*)
      say '"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"prompts":{},"resources":{}},"serverInfo":{"name":"s"}}' ;;
    *'"method":"notifications/'*) ;;
    *'"method":"prompts/list"'*) say '"result":{"prompts":['"$prompts"']}' ;;
    *'"method":"prompts/get"'*) file prompt ;;
    *'"method":"resources/read"'*) file resource ;;
    *'"method":"tools/call"'*) file tool ;;
    *) say '"error":{"code":-32601,"message":"x"}' ;;
  esac
done
)sh";
}

ModelPtr model(const std::string& types, const std::string& stages) {
  auto value = json::parse(R"({"name":"m","content":{"appliesTo":[)" + types + R"(],"cacheable":true,"stages":[)" +
                           stages + "]}}");
  REQUIRE(value);
  return read_model(*value);
}
const std::string kPages = R"({"type":"paginate","config":{"pageSize":1000}})";
const std::string kIndex =
    R"({"type":"section-split","config":{"minSize":100,"maxSize":2000}},{"type":"summarize-tree"})";

struct Kinds : World {
  Kinds() {
    attach_script("s", server(files.path()));
    allow({"role:run,resource:tools", "role:run,resource:servers", "role:view,resource:servers"});
    RandomText make(3);
    text = make.markdown(20'000);
    write("prompt", R"({"messages":[{"role":"assistant","content":{"type":"text","text":"short"}},)"
                    R"({"role":"user","content":{"type":"text","text":)" +
                        json::quoted(text) + "}}]}");
    write("resource",
          R"({"contents":[{"uri":"file:///a.md","mimeType":"text/markdown","text":)" + json::quoted(text) + "}]}");
    write("tool", R"({"content":[{"type":"text","text":"x"}]})");
  }
  void write(const std::string& name, const std::string& result) { std::ofstream(files.file(name)) << result; }
  size_t calls() {
    std::ifstream in(files.file("calls"));
    return static_cast<size_t>(std::count(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>(), '\n'));
  }
  json::Value ask(const std::string& method, const std::string& params) {
    auto answer = send(request("1", method, params)).answer();
    const auto* result = answer.find("result");
    return result ? *result : answer;
  }
  json::Value get(const std::string& more = "") {
    return ask("prompts/get", R"({"name":"s__asks","arguments":{"topic":"x")" + more + "}}");
  }
  json::Value read(const std::string& more = "") {
    return ask("resources/read", R"({"uri":"m.s+file:///a.md)" + more + "\"}");
  }
  static std::string said(const json::Value& result, size_t index) {
    const auto* list = result.find("messages");
    REQUIRE_MESSAGE(list, json::to_text(result));
    REQUIRE(list->items().size() > index);
    return list->items()[index].find("content")->text("text");
  }
  static const json::Value& part(const json::Value& result, size_t index) {
    const auto* list = result.find("contents");
    REQUIRE_MESSAGE(list, json::to_text(result));
    REQUIRE(list->items().size() > index);
    return list->items()[index];
  }
  static std::string id_in(const std::string& index) {
    const size_t at = index.find("res_");
    REQUIRE(at != std::string::npos);
    return index.substr(at, 24);
  }
  testing::TempDir files;
  std::string text;
};

TEST_CASE("a large prompt becomes its first page and a message with the index, and every page can be got") {
  Kinds world;
  world.project->model = model("\"prompt\"", kPages);
  const auto first = world.get();
  CHECK(Kinds::said(first, 0) == "short");
  std::string all = Kinds::said(first, 1);
  CHECK(world.text.starts_with(all));
  const auto index = Kinds::said(first, 2);
  CHECK(has(index, "get this prompt again"));
  const auto id = Kinds::id_in(index);
  for (size_t page = 2; all.size() < world.text.size(); ++page)
    all += Kinds::said(world.get(R"(,"_resultId":")" + id + R"(","_page":")" + std::to_string(page) + "\""), 0);
  CHECK(all == world.text);
  CHECK(Kinds::said(world.get(R"(,"_resultId":")" + id + R"(","_page":"all")"), 0) == world.text);
  CHECK(world.calls() == 1);
  const auto wrong = world.get(R"(,"_resultId":")" + id + R"(","_page":"0")");
  REQUIRE(wrong.find("error"));
  CHECK(wrong.find("error")->find("code")->as_int() == -32602);
  CHECK(has(wrong.find("error")->text("message"), "_page must be a number from 1 to "));
  // Through another prompt, and for somebody else, there is no such result.
  const auto other =
      world.ask("prompts/get", R"({"name":"s__plain","arguments":{"_resultId":")" + id + R"(","_page":"2"}})");
  REQUIRE(other.find("error"));
  CHECK(has(other.find("error")->text("message"), "not known"));
}

TEST_CASE("prompts announce the virtual arguments behind their own where the pipeline makes sections") {
  Kinds world;
  world.project->model = model("\"prompt\"", kPages);
  const auto list = world.ask("prompts/list", "{}");
  const auto& prompts = list.find("prompts")->items();
  REQUIRE(prompts.size() == 3);
  const auto names = [](const json::Value& prompt) {
    std::string out;
    for (auto& one : prompt.find("arguments")->items())
      out += one.text("name") + " ";
    return out;
  };
  CHECK(names(prompts[0]) == "_resultId _page _section ");
  CHECK(prompts[0].text("description") == "d");
  CHECK(names(prompts[1]) == "topic _resultId _page _section ");
  CHECK(names(prompts[2]) == "_page ");  // it has a meaning of its own there
  for (auto& other : {model("\"toolResult\"", kPages), model("\"prompt\"", R"({"type":"truncate"})")}) {
    world.project->model = other;
    CHECK_FALSE(has(json::to_text(world.ask("prompts/list", "{}")), "_resultId"));
  }
}

TEST_CASE("a large resource becomes its first page and an index, and every part can be read behind its URI") {
  Kinds world;
  world.project->model = model("\"resource\"", kPages);
  const auto first = world.read();
  CHECK(Kinds::part(first, 0).text("uri") == "m.s+file:///a.md");
  std::string all = Kinds::part(first, 0).text("text");
  CHECK(world.text.starts_with(all));
  const auto index = Kinds::part(first, 1).text("text");
  const auto id = Kinds::id_in(index);
  CHECK(has(index, "read m.s+file:///a.md#_resultId=" + id + "&_page=N"));
  for (size_t page = 2; all.size() < world.text.size(); ++page) {
    const auto one = world.read("#_resultId=" + id + "&_page=" + std::to_string(page));
    CHECK(Kinds::part(one, 0).text("mimeType") == "text/markdown");
    all += Kinds::part(one, 0).text("text");
  }
  CHECK(all == world.text);
  CHECK(Kinds::part(world.read("#_resultId=" + id + "&_page=all"), 0).text("text") == world.text);
  CHECK(world.calls() == 1);
  world.project->model = model("\"resource\"", kIndex);
  const auto sections = Kinds::part(world.read(), 0).text("text");
  const size_t at = sections.find("\n- ") + 3;
  const auto name = sections.substr(at, sections.find_first_of(": ", at) - at);
  const auto one = world.read("#_resultId=" + Kinds::id_in(sections) + "&_section=" + name);
  CHECK(has(world.text, Kinds::part(one, 0).text("text")));
  // What is no question of ours is the server's, fragment and all.
  const size_t before = world.calls();
  world.read("#part");
  CHECK(world.calls() == before + 1);
  CHECK(world.read("#_resultId=res_00000000000000000000&_page=1").find("error"));
}

TEST_CASE("names of sections may be any text, and URIs may have a fragment of their own") {
  const auto read = [](std::string uri) {
    auto wanted = take_look_up(uri);
    return wanted ? uri + " " + wanted->id + " " + wanted->page + wanted->section : "a question to the server";
  };
  const std::string id = "res_0123456789abcdefghij";
  CHECK(read("x:y#_resultId=" + id + "&_page=2") == "x:y " + id + " 2");
  CHECK(read("x:y#part#_resultId=" + id + "&_page=all") == "x:y#part " + id + " all");
  CHECK(read("x:y#_resultId=" + id + "&_section=gr%C3%B6%C3%9Fe%20%26+%23") == "x:y " + id + " größe &+#");
  for (const char* end : {"&_section=%", "&_section=%4", "&_section=%zz", "&_section=%00", "&_page", "&other=1"})
    CHECK(read("x:y#_resultId=" + id + end) == "a question to the server");
  CHECK(read("x:y#part") == "a question to the server");
}

TEST_CASE("modern clients look into prompts and resources as legacy ones do") {
  Kinds world;
  world.project->model = model(R"("prompt","resource")", kPages);
  const auto ask = [&](const std::string& method, const std::string& name, const std::string& members) {
    auto answer = world.send(World::modern("1", method, members), World::modern_headers(method, name)).answer();
    return answer.find("result") ? *answer.find("result") : answer;
  };
  const auto get = [&](const std::string& more) {
    return ask("prompts/get", "s__asks", R"("name":"s__asks","arguments":{"topic":"x")" + more + "}");
  };
  const auto first = get("");
  CHECK(first.text("resultType") == "complete");
  std::string all = Kinds::said(first, 1);
  const auto id = Kinds::id_in(Kinds::said(first, 2));
  for (size_t page = 2; all.size() < world.text.size(); ++page) {
    const auto one = get(R"(,"_resultId":")" + id + R"(","_page":)" + std::to_string(page));
    CHECK(one.text("resultType") == "complete");
    all += Kinds::said(one, 0);
  }
  CHECK(all == world.text);
  const auto read = [&](const std::string& more) {
    const std::string uri = "m.s+file:///a.md" + more;
    return ask("resources/read", uri, R"("uri":")" + uri + "\"");
  };
  const auto resource = read("");
  all = Kinds::part(resource, 0).text("text");
  const auto other = Kinds::id_in(Kinds::part(resource, 1).text("text"));
  for (size_t page = 2; all.size() < world.text.size(); ++page) {
    const auto one = read("#_resultId=" + other + "&_page=" + std::to_string(page));
    CHECK(one.find("ttlMs")->as_int() == 0);
    CHECK(one.text("cacheScope") == "private");
    all += Kinds::part(one, 0).text("text");
  }
  CHECK(all == world.text);
  CHECK(world.calls() == 2);
  CHECK(has(read("#_resultId=" + id + "&_page=2").find("error")->text("message"), "not known"));  // of a prompt
}

TEST_CASE("results of a tool are kept where the definition says so, for one token and the same arguments") {
  Kinds world;
  const auto call = [&](const std::string& arguments) {
    const size_t before = world.calls();
    const auto result = world.ask("tools/call", R"({"name":"s__t","arguments":)" + arguments + "}");
    CHECK(has(json::to_text(result), "\"text\":\"x\""));
    return world.calls() > before;  // the server was asked
  };
  CHECK(call("{}"));
  CHECK(call("{}"));  // nobody said that it may be kept
  auto spec = std::make_shared<ServerSpec>(*world.project->attachments[0].server);
  spec->cache_ms["t"] = 60'000;
  world.project->attachments[0].server = spec;
  CHECK(call("{}"));
  CHECK_FALSE(call("{}"));
  CHECK(call(R"({"a":1})"));
  CHECK_FALSE(call(R"({"a":1})"));
  const auto records = world.plane.records();
  CHECK(records.back().detail == "answered from the cache");
  const auto me = world.who;
  auto other = std::make_shared<rbac::Principal>(*me);
  other->token_sha = std::string(64, 'b');
  rbac::Definition both;
  both.id = both.name = "e";
  both.subjects = {{rbac::SubjectKind::mcp_token, me->token_sha}, {rbac::SubjectKind::mcp_token, other->token_sha}};
  both.bindings.push_back(*rbac::parse_binding("role:run,resource:tools"));
  world.project->policy = std::make_shared<const rbac::Policy>(std::vector{both}, std::vector<rbac::Group>{},
                                                               rbac::Ceiling::mint, rbac::ToolGrant::run);
  world.who = other;
  CHECK(call("{}"));  // what was kept for one is nobody else's
  world.who = me;
  CHECK_FALSE(call("{}"));
  auto changed = std::make_shared<ServerSpec>(*spec);
  changed->version = 2;
  world.project->attachments[0].server = changed;
  CHECK(call("{}"));
  world.write("tool", R"({"content":[{"type":"text","text":"x"}],"isError":true})");
  CHECK(call(R"({"b":1})"));
  CHECK(call(R"({"b":1})"));  // failures are not kept
}

TEST_CASE("what a tool answered is not shown again once the server defines the tool otherwise") {
  World world;
  testing::TempDir files;
  std::ofstream(files.file("tools")) << R"({"name":"t","inputSchema":{"type":"object"}})";
  world.attach_script("s", "dir='" + files.path() + R"sh('
say() { printf '{"jsonrpc":"2.0","id":%s,%s}\n' "$id" "$1"; }
while IFS= read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}
  case "$line" in
    *'"method":"server/discover"'*) say '"error":{"code":-32601,"message":"x"}' ;;
    *'"method":"initialize"'*)
      say '"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"s"}}' ;;
    *'"method":"notifications/'*) ;;
    *'"method":"tools/list"'*) say '"result":{"tools":['"$(cat "$dir/tools")"']}' ;;
    *'"name":"tell"'*) echo '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'; say '"result":{"content":[]}' ;;
    *'"method":"tools/call"'*) echo x >> "$dir/calls"; say '"result":{"content":[{"type":"text","text":"x"}]}' ;;
  esac
done
)sh");
  auto spec = std::make_shared<ServerSpec>(*world.project->attachments[0].server);
  spec->cache_ms["t"] = 60'000;
  world.project->attachments[0].server = spec;
  const auto calls = [&] {
    std::ifstream in(files.file("calls"));
    return std::count(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>(), '\n');
  };
  const auto call = [&] { return world.send(World::call("1", "s__t")).last(); };
  call();
  call();
  CHECK(calls() == 1);
  std::ofstream(files.file("tools")) << R"({"name":"t","description":"other","inputSchema":{"type":"object"}})";
  call();
  CHECK(calls() == 1);  // nobody knows of it
  world.send(World::call("1", "s__tell"));
  world.turn_until([&] { return has(world.send(World::request("1", "tools/list")).last(), "other"); });
  call();
  CHECK(calls() == 2);
  call();
  CHECK(calls() == 2);
}

TEST_CASE("results of a tool are kept as long as the server says") {
  Kinds world;
  world.write("tool", R"({"content":[{"type":"text","text":"x"}],"ttlMs":60000})");
  const auto call = [&] {
    const size_t before = world.calls();
    world.ask("tools/call", R"({"name":"s__t","arguments":{}})");
    return world.calls() > before;
  };
  CHECK(call());
  CHECK_FALSE(call());
  Kinds other;
  other.write("tool", R"({"content":[{"type":"text","text":"x"}],"ttlMs":0})");
  other.ask("tools/call", R"({"name":"s__t","arguments":{}})");
  other.ask("tools/call", R"({"name":"s__t","arguments":{}})");
  CHECK(other.calls() == 2);
}

}  // namespace
}  // namespace mcptoken::gateway
