// The content pipeline at the endpoint: a server whose answers are files, and clients of both eras that look into them.
#include "gateway/plugins/content.h"

#include <doctest/doctest.h>

#include <fstream>
#include <map>
#include <random>

#include "../world.h"
#include "gateway/plugins/packed.h"
#include "json/writer.h"
#include "random_text.h"

namespace mcptoken::gateway {
namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

constexpr const char* kTool =
    R"({"name":"read","inputSchema":{"type":"object","properties":{"path":{"type":"string"}},"required":["path"],"additionalProperties":false}})";

// Answers tools/call NAME with the file answer-NAME of the directory, a complete result.
std::string file_server(const std::string& dir, const std::string& tools) {
  return "dir='" + dir + "'; tools='" + tools + R"sh('
say() { printf '{"jsonrpc":"2.0","id":%s,%s}\n' "$id" "$1"; }
while IFS= read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}
  case "$line" in
    *'"method":"server/discover"'*) say '"error":{"code":-32601,"message":"x"}' ;;
    *'"method":"initialize"'*)
      say '"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s"}}' ;;
    *'"method":"notifications/'*) ;;
    *'"method":"tools/list"'*) say '"result":{"tools":['"$tools"']}' ;;
    *'"method":"tools/call"'*)
      echo "$line" >> "$dir/calls"
      name=${line#*\"name\":\"}; name=${name%%\"*}
      printf '{"jsonrpc":"2.0","id":%s,"result":' "$id"; cat "$dir/answer-$name"; printf '}\n' ;;
    *) say '"error":{"code":-32601,"message":"x"}' ;;
  esac
done
)sh";
}

ModelPtr model(const std::string& stages, bool cacheable = true) {
  auto value = json::parse(R"({"name":"m","content":{"appliesTo":["toolResult"],"cacheable":)" +
                           std::string(cacheable ? "true" : "false") + R"(,"stages":[)" + stages + "]}}");
  REQUIRE(value);
  return read_model(*value);
}
const std::string kPages = R"({"type":"passthrough"},{"type":"paginate","config":{"pageSize":1000}})";
const std::string kIndex =
    R"({"type":"section-split","config":{"minSize":100,"maxSize":2000}},{"type":"summarize-tree"})";

std::string text_block(const std::string& text) { return R"({"type":"text","text":)" + json::quoted(text) + "}"; }

struct Reading : World {
  explicit Reading(size_t loops = 1, const std::string& tools = kTool) : World(loops) {
    attach_script("files", file_server(files.path(), tools));
    project->model = model(kPages);
  }
  void answer_with(const std::string& result, const std::string& tool = "read") {
    std::ofstream(files.file("answer-" + tool)) << result;
  }
  void answer_text(const std::string& text) { answer_with("{\"content\":[" + text_block(text) + "]}"); }
  size_t calls() {
    std::ifstream in(files.file("calls"));
    return static_cast<size_t>(std::count(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>(), '\n'));
  }

  json::Value result_of(Visit& visit) {
    auto answer = visit.answer();
    REQUIRE_MESSAGE(answer.find("result"), visit.last());
    return *answer.find("result");
  }
  json::Value read_file(const std::string& arguments = R"({"path":"x"})", size_t site = 0) {
    return result_of(send(call("1", "files__read", arguments), {}, site));
  }
  json::Value part(const std::string& id, const std::string& which, size_t site = 0) {
    return read_file(R"({"path":"x","_resultId":")" + id + R"(",)" + which + "}", site);
  }
  static std::string text(const json::Value& result, size_t index = 0) {
    const auto* content = result.find("content");
    REQUIRE(content);
    REQUIRE(content->items().size() > index);
    return content->items()[index].text("text");
  }
  static std::string id_in(const std::string& index) {
    const size_t at = index.find("res_");
    REQUIRE(at != std::string::npos);
    return index.substr(at, 24);
  }
  testing::TempDir files;  // beside the data directory, which servers do not see

  static bool failed(const json::Value& result) { return result.find("isError") != nullptr; }
  std::shared_ptr<const rbac::Principal> somebody(char letter) {
    auto other = std::make_shared<rbac::Principal>(*who);
    other->token_sha = std::string(64, letter);
    return other;
  }
};

TEST_CASE("a large text becomes its first page and an index, and every page can be asked for") {
  Reading world;
  RandomText make(1);
  const std::string text = make.markdown(20'000);
  world.answer_text(text);
  auto first = world.read_file();
  CHECK(text.starts_with(Reading::text(first)));
  const auto index = Reading::text(first, 1);
  CHECK(has(index, "Page 1 of "));
  const auto id = Reading::id_in(index);
  std::string all = Reading::text(first);
  for (size_t page = 2; all.size() < text.size(); ++page)
    all += Reading::text(world.part(id, "\"_page\":" + std::to_string(page)));
  CHECK(all == text);
  CHECK(Reading::text(world.part(id, R"("_page":"all")")) == text);
  CHECK(Reading::text(world.part(id, R"("_page":"1")")) == Reading::text(first));
  CHECK(world.calls() == 1);  // only the first one went to the server
  const auto records = world.plane.records();
  const auto done =
      std::find_if(records.begin(), records.end(), [](auto& one) { return one.kind == RecordKind::pipeline; });
  REQUIRE(done != records.end());
  CHECK(has(done->payload, R"("model":"m","bytes":)"));
}

TEST_CASE("sections are read by their names, and are the text when put together") {
  Reading world;
  world.project->model = model(kIndex);
  RandomText make(2);
  const std::string text = make.markdown(20'000);
  world.answer_text(text);
  auto first = world.read_file();
  const auto index = Reading::text(first);
  CHECK(has(index, " sections, " + std::to_string(text.size()) + " bytes in all:\n"));
  const auto id = Reading::id_in(index);
  std::string all;
  for (size_t at = 0; (at = index.find("\n- ", at)) != std::string::npos;) {
    at += 3;
    const auto name = index.substr(at, index.find_first_of(": ", at) - at);
    all += Reading::text(world.part(id, R"("_section":")" + name + "\""));
  }
  CHECK(all == text);
  CHECK(Reading::failed(world.part(id, R"("_section":"no-such")")));
}

TEST_CASE("an index of many sections has all their names, and stays far shorter than the text") {
  Reading world;
  world.project->model = model(kIndex);
  std::string text;
  for (int i = 0; i < 1'000; ++i)
    text += "# part " + std::to_string(i) + "\n" + std::string(1'900, 'y') + "\n\n";
  world.answer_text(text);
  const auto index = Reading::text(world.read_file());
  CHECK(has(index, "1000 sections, "));
  CHECK(has(index, "\n- part-999: part 999 ("));
  CHECK(index.size() < text.size() / 10);
}

TEST_CASE("a result is unknown to another token, through another tool, in another project, and when its time is over") {
  Reading world(2, std::string(kTool) + R"(,{"name":"other","inputSchema":{"type":"object"}})");
  world.answer_text(std::string(5'000, 'x'));
  const auto id = Reading::id_in(Reading::text(world.read_file(), 1));
  CHECK_FALSE(Reading::failed(world.part(id, "\"_page\":2")));
  CHECK_FALSE(Reading::failed(world.part(id, "\"_page\":2", 1)));  // on another loop
  const auto unknown = "this result is not known, or is older than five minutes; call the tool again without _resultId";
  auto other_tool =
      world.result_of(world.send(World::call("1", "files__other", R"({"_resultId":")" + id + R"(","_page":2})")));
  CHECK(Reading::text(other_tool) == unknown);
  const auto me = world.who;
  world.who = world.somebody('b');
  world.allow({"role:run,resource:tools"});
  rbac::Definition everybody;
  everybody.id = everybody.name = "e";
  everybody.subjects = {{rbac::SubjectKind::mcp_token, std::string(64, 'a')},
                        {rbac::SubjectKind::mcp_token, std::string(64, 'b')}};
  everybody.bindings.push_back(*rbac::parse_binding("role:run,resource:tools"));
  world.project->policy = std::make_shared<const rbac::Policy>(std::vector{everybody}, std::vector<rbac::Group>{},
                                                               rbac::Ceiling::mint, rbac::ToolGrant::run);
  CHECK(Reading::text(world.part(id, "\"_page\":2")) == unknown);
  world.who = me;
  CHECK_FALSE(Reading::failed(world.part(id, "\"_page\":2")));
  world.project->id = "p2";
  CHECK(Reading::text(world.part(id, "\"_page\":2")) == unknown);
}

TEST_CASE("what is wrong with a look into a result is said so that a model understands it") {
  Reading world;
  world.answer_text(std::string(5'000, 'x'));
  const auto id = Reading::id_in(Reading::text(world.read_file(), 1));
  CHECK(Reading::text(world.part(id, "\"_page\":0")) == "_page must be a number from 1 to 5, or \"all\"");
  CHECK(Reading::text(world.part(id, "\"_page\":6")) == "_page must be a number from 1 to 5, or \"all\"");
  CHECK(Reading::failed(world.part(id, "\"_page\":1.5")));
  CHECK(Reading::text(world.part(id, "\"x\":1")) == "give either _page or _section with _resultId");
  CHECK(Reading::text(world.part("res_00000000000000000000", "\"_page\":1")).starts_with("this result is not known"));
  const size_t before = world.calls();
  for (auto cut : {"res_", "res_0000", "res_00000000000000000000x", "res_0000000000000000000Z"})
    CHECK(Reading::text(world.part(cut, "\"_page\":1")).starts_with("this result is not known"));
  CHECK(world.calls() == before);
  // An argument of that name that is none of ours belongs to the server.
  world.part("mine", "\"_page\":1");
  CHECK(world.calls() == before + 1);
}

TEST_CASE("small texts, other blocks, and results of a model that does nothing stay byte for byte") {
  Reading world;
  const std::string result = R"({"content":[{"type":"text","text":"sm\u0061ll"},{"type":"image","data":")" +
                             std::string(5'000, 'A') + R"(","mimeType":"image/png"}],"x":1.0})";
  world.answer_with(result);
  CHECK(has(world.send(World::call("1", "files__read")).last(), result.substr(1, result.size() - 2)));
  world.answer_text(std::string(5'000, 'x'));
  world.project->model = nullptr;
  CHECK(Reading::text(world.read_file()) == std::string(5'000, 'x'));
  world.project->model = model(kPages);
  world.project->attachments[0].overrides = true;  // by a model that does nothing
  CHECK(Reading::text(world.read_file()) == std::string(5'000, 'x'));
}

TEST_CASE("tools announce the virtual arguments where the pipeline makes sections, and nothing else of them changes") {
  const std::string odd = R"({"name":"odd","inputSchema":{"type":"object","properties":{"_page":{"type":"number"}}}})";
  const std::string bare = R"({"name":"bare","description":"d","inputSchema":{"type":"object"}})";
  Reading world(1, std::string(kTool) + "," + odd + "," + bare);
  auto list = [&] {
    std::map<std::string, json::Value> out;
    const auto result = world.result_of(world.send(World::request("1", "tools/list")));
    for (auto& tool : result.find("tools")->items())
      out.emplace(tool.text("name"), *tool.find("inputSchema"));
    return out;
  };
  auto shown = list();
  CHECK(shown["files__read"].find("properties")->find("_resultId"));
  CHECK(shown["files__read"].find("properties")->find("path"));
  CHECK(json::to_text(*shown["files__read"].find("required")) == R"(["path"])");
  CHECK(shown["files__bare"].find("properties")->find("_section"));
  CHECK_FALSE(shown["files__odd"].find("properties")->find("_resultId"));
  world.project->model = model(R"({"type":"truncate","config":{"maxBytes":100}})");
  CHECK_FALSE(list()["files__read"].find("properties")->find("_resultId"));
  world.project->model = nullptr;
  CHECK(json::to_text(list()["files__bare"]) == R"({"type":"object"})");
}

TEST_CASE("structured content that repeats the text repeats what is shown; any other stays as it is") {
  Reading world;
  const std::string text(5'000, 'x');
  world.answer_with("{\"content\":[" + text_block(text) + R"(],"structuredContent":{"n":1,"content":)" +
                    json::quoted(text) + "}}");
  auto first = world.read_file();
  CHECK(first.find("structuredContent")->text("content") == Reading::text(first));
  CHECK(Reading::text(first).size() == 1000);
  const auto second = world.part(Reading::id_in(Reading::text(first, 1)), "\"_page\":2");
  CHECK(second.find("structuredContent")->text("content") == Reading::text(second));
  CHECK(second.find("structuredContent")->find("n")->as_int() == 1);
  // The text says something else: it has pages, and each comes with what an output schema asks for.
  world.answer_with("{\"content\":[" + text_block(text) + R"(],"structuredContent":{"all":["of","it"]}})");
  first = world.read_file();
  CHECK(Reading::text(first).size() == 1000);
  CHECK(json::to_text(*first.find("structuredContent")) == R"({"all":["of","it"]})");
  const auto id = Reading::id_in(Reading::text(first, 1));
  CHECK(json::to_text(*world.part(id, "\"_page\":2").find("structuredContent")) == R"({"all":["of","it"]})");
  CHECK(Reading::text(world.part(id, R"("_page":"all")")) == text);
  // The text is the same in JSON, spelt otherwise.
  const std::string rows = R"({"rows":[")" + std::string(4'000, 'x') + R"("],"of":"it"})";
  const std::string spelt = R"({ "rows" : [")" + std::string(4'000, 'x') + R"("], "of": "\u0069t"})";
  world.answer_with("{\"content\":[" + text_block(spelt) + R"(],"structuredContent":)" + rows + "}");
  CHECK(Reading::text(world.read_file()) == spelt);
}

TEST_CASE("what is redacted is found nowhere: not in blocks, resources, structured content, or pages") {
  Reading world;
  world.project->model = model(R"({"type":"regex-redact","config":{"patterns":["secret-[0-9]+"]}},)" + kPages);
  std::string text;
  for (int i = 0; i < 300; ++i)
    text += "line secret-" + std::to_string(i) + " of it\n";
  world.answer_with(
      "{\"content\":[" + text_block(text) + R"(,{"type":"resource","resource":{"uri":"x:y","text":"a secret-1"}}],)" +
      R"("structuredContent":{"content":)" + json::quoted(text) + R"(,"key":"secret-7","deep":[{"k":"x secret-8"}]}})");
  auto visit = world.send(World::call("1", "files__read"), {}, 0).last();
  CHECK_FALSE(has(visit, "secret-"));
  CHECK(has(visit, "a [redacted]"));
  const auto id = Reading::id_in(visit);
  const auto everything = json::to_text(world.part(id, R"("_page":"all")"));
  CHECK_FALSE(has(everything, "secret-"));
  CHECK(has(everything, "[redacted]"));
  // Structured content beside the text, and with its pages.
  world.answer_with("{\"content\":[" + text_block(text) + R"(],"structuredContent":{"key":"secret-7"}})");
  const auto other = world.read_file();
  CHECK_FALSE(has(json::to_text(other), "secret-"));
  const auto page = world.part(Reading::id_in(Reading::text(other, 1)), "\"_page\":2");
  CHECK(json::to_text(*page.find("structuredContent")) == R"({"key":"[redacted]"})");
  world.answer_with(
      R"({"content":[],"structuredContent":{"secret-1":{"a secret-2":3},"secret-4":[{"secret-5":"x"}]}})");
  CHECK(json::to_text(*world.read_file().find("structuredContent")) ==
        R"({"[redacted]":{"a [redacted]":3},"[redacted]-2":[{"[redacted]":"x"}]})");
  CHECK_FALSE(has(json::to_text(page), "secret-"));
}

TEST_CASE("a stage that fails is passed over, and the record says so") {
  Reading world;
  world.project->model =
      model(R"({"type":"json-project","config":{"paths":["a"]}},{"type":"truncate","config":{"maxBytes":100}})");
  world.answer_text("no JSON, but " + std::string(500, 'x'));
  CHECK(Reading::text(world.read_file()).size() <= 100);
  const auto records = world.plane.records();
  const auto done =
      std::find_if(records.begin(), records.end(), [](auto& one) { return one.kind == RecordKind::pipeline; });
  REQUIRE(done != records.end());
  CHECK(has(done->payload, R"("fallback":"json-project: )"));
  world.answer_text(R"({"a":1,"b":)" + std::string(10, '1') + "}");
  CHECK(Reading::text(world.read_file()) == R"({"a":1})");
}

TEST_CASE("the second time the cache knows, and not for anybody else") {
  Reading world;
  world.answer_text(std::string(5'000, 'x'));
  auto cached = [&] {
    world.read_file();
    const auto records = world.plane.records();
    const auto last =
        std::find_if(records.rbegin(), records.rend(), [](auto& one) { return one.kind == RecordKind::pipeline; });
    REQUIRE(last != records.rend());
    return has(last->payload, R"("cached":true)");
  };
  CHECK_FALSE(cached());
  CHECK(cached());
  world.project->model = model(R"({"type":"paginate","config":{"pageSize":999}})");  // another definition
  CHECK_FALSE(cached());
  world.project->model = model(kPages, false);
  CHECK_FALSE(cached());
  CHECK_FALSE(cached());
}

TEST_CASE("an owner has so many results, and the oldest goes first") {
  Reading world;
  world.answer_text(std::string(5'000, 'x'));
  const auto oldest = Reading::id_in(Reading::text(world.read_file(), 1));
  const auto second = Reading::id_in(Reading::text(world.read_file(), 1));
  for (size_t i = 2; i <= Shelf::kResults; ++i)
    world.read_file();
  CHECK(Reading::failed(world.part(oldest, "\"_page\":2")));
  CHECK_FALSE(Reading::failed(world.part(second, "\"_page\":2")));
}

TEST_CASE("a model that cannot be used shows nothing") {
  Reading world;
  world.answer_text("text");
  world.project->model = read_model(*json::parse(R"({"name":"m","error":"no such thing"})"));
  CHECK(has(world.send(World::call("1", "files__read")).last(),
            "the proxy model \\\"m\\\" cannot be used: no such thing"));
}

TEST_CASE("modern clients get the same, with what their era wants of a result") {
  Reading world;
  world.answer_text(std::string(5'000, 'x'));
  auto ask = [&](const std::string& arguments) {
    return world.result_of(
        world.send(World::modern("1", "tools/call", R"("name":"files__read","arguments":)" + arguments),
                   World::modern_headers("tools/call", "files__read")));
  };
  const auto first = ask("{}");
  CHECK(first.text("resultType") == "complete");
  const auto second = ask(R"({"_resultId":")" + Reading::id_in(Reading::text(first, 1)) + R"(","_page":2})");
  CHECK(Reading::text(second).size() == 1000);
  CHECK(second.text("resultType") == "complete");
  CHECK(second.find("_meta")->find("io.modelcontextprotocol/serverInfo"));
}

TEST_CASE("property: packed content is what was packed, with places in the original or without") {
  const uint32_t seed = std::random_device()();
  CAPTURE(seed);
  RandomText make(seed);
  for (int round = 0; round < 200; ++round) {
    const std::string text = make.any(1 + make.below(8000));
    Content content;
    content.text = text;
    content = make.below(2) ? paginate(content, {256, 0}) : split_sections(content, {50, 500});
    for (const std::string& original : {text, std::string()}) {
      const auto packed = pack(content, original, "note");
      if (!content.sections.empty() && !original.empty()) CHECK(packed.size() < text.size() + 20'000);
      const auto read = Packed::read(packed, original);
      REQUIRE(read);
      CHECK(read->content() == content);
      CHECK(read->note() == "note");
      if (!content.sections.empty()) {
        CHECK(read->whole() == text);
        CHECK_FALSE(Packed::read(packed.substr(0, packed.size() - 1), original));
      }
    }
    if (!content.sections.empty()) CHECK_FALSE(Packed::read(pack(content, text), text + "x"));
  }
}

}  // namespace
}  // namespace mcptoken::gateway
