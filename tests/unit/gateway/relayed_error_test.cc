// What clients of both eras are told of a server's protocol errors.
#include <doctest/doctest.h>

#include <algorithm>

#include "gateway/endpoint.h"
#include "world.h"

using namespace mcptoken;
using namespace mcptoken::gateway;

namespace {

// A legacy server in the shell, which fails in a way that depends on what it is asked for.
std::string failing_server(const std::vector<std::pair<std::string, std::string>>& errors) {
  std::string cases;
  for (auto& [name, error] : errors) cases += "    *'\"" + name + "\"'*) say '\"error\":" + error + "' ;;\n";
  return R"sh(
say() { printf '%s\n' '{"jsonrpc":"2.0","id":'"$id,$1"'}'; }
while IFS= read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}
  case "$line" in
    *'"method":"initialize"'*)
      say '"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"prompts":{},"resources":{}},"serverInfo":{"name":"s"}}' ;;
    *'"method":"notifications'*) ;;
)sh" + cases + R"sh(
    *) say '"error":{"code":-32601,"message":"no"}' ;;
  esac
done
)sh";
}

struct Row {
  std::string method, name;   // of what is asked for, as the server calls it
  std::string error;          // the server's
  std::string legacy, modern;  // what becomes of it
};

const std::string kUrl = R"({"code":-32042,"message":"go","data":{"elicitations":[{"mode":"url","url":"https://e.example/"}]}})";
const std::string kRange = R"({"code":-32602,"message":"range","data":{"field":"uri","hint":1.0}})";
const std::string kWrong = R"({"code":-32602,"message":"wrong","data":{"uri":7,"k":1.0}})";
const std::string kInside = R"({"code":-32602,"message":"wrong","data":{"e":{"uri":"x:inside"}}})";
const std::string kText = R"({"code":-32602,"message":"wrong","data":"\"uri\" is wrong"})";

const Row kRows[] = {
    // An error about a resource says so in a string of that name, and nothing else is touched.
    {"resources/read", "x:range", kRange, kRange, kRange},
    {"resources/read", "x:wrong", kWrong, kWrong, kWrong},
    {"resources/read", "x:inside", kInside, kInside, kInside},
    {"resources/read", "x:text", kText, kText, kText},
    {"resources/read", "x:gone", R"({"code":-32002,"message":"gone","data":{"hint":1.0,"uri":"x:gone","a":"\u0041"}})",
     R"({"code":-32002,"message":"gone","data":{"hint":1.0,"uri":"m.s+x:gone","a":"\u0041"}})",
     R"({"code":-32602,"message":"gone","data":{"hint":1.0,"uri":"m.s+x:gone","a":"\u0041"}})"},
    {"resources/read", "x:newer", R"({"code":-32602,"message":"gone","data":{"uri":"x:newer","k":1.0}})",
     R"({"code":-32002,"message":"gone","data":{"uri":"m.s+x:newer","k":1.0}})",
     R"({"code":-32602,"message":"gone","data":{"uri":"m.s+x:newer","k":1.0}})"},
    {"resources/read", "x:bare", R"({"code":-32002,"message":"gone"})", R"({"code":-32002,"message":"gone","data":{"uri":"m.s+x:bare"}})",
     R"({"code":-32602,"message":"gone","data":{"uri":"m.s+x:bare"}})"},
    {"resources/read", "x:added", R"({"code":-32002,"message":"gone","data":{"k":1.0}})",
     R"({"code":-32002,"message":"gone","data":{"k":1.0,"uri":"m.s+x:added"}})",
     R"({"code":-32602,"message":"gone","data":{"k":1.0,"uri":"m.s+x:added"}})"},
    // Codes that the modern era does not have.
    {"tools/call", "lost", R"({"code":-32002,"message":"gone","data":{"uri":"x:z","k":1.0}})",
     R"({"code":-32002,"message":"gone","data":{"uri":"m.s+x:z","k":1.0}})",
     R"({"code":-32602,"message":"gone","data":{"uri":"m.s+x:z","k":1.0}})"},
    {"prompts/get", "prompt", R"({"code":-32002,"message":"gone","data":{"a":1.0}})", R"({"code":-32002,"message":"gone","data":{"a":1.0}})",
     R"({"code":-32602,"message":"gone","data":{"a":1.0}})"},
    {"tools/call", "visit", kUrl, kUrl,
     R"({"code":-32021,"message":"go","data":{"requiredCapabilities":{"elicitation":{"url":{}}}}})"},
    {"tools/call", "other", R"({"code":1234,"message":"own","data":{"b":1E+2}})", R"({"code":1234,"message":"own","data":{"b":1E+2}})",
     R"({"code":1234,"message":"own","data":{"b":1E+2}})"},
};

}  // namespace

TEST_CASE("relayed errors: codes and data in both eras") {
  World world;
  std::vector<std::pair<std::string, std::string>> errors;
  for (auto& row : kRows) errors.emplace_back(row.name, row.error);
  world.attach_script("s", failing_server(errors));
  world.allow({"role:view,resource:servers", "role:run,resource:tools"});
  for (auto& row : kRows) {
    CAPTURE(row.name);
    const bool by_uri = row.method == "resources/read";
    const std::string shown = (by_uri ? "m.s+" : "s__") + row.name;
    const std::string member = (by_uri ? "\"uri\":\"" : "\"name\":\"") + shown + "\"";
    auto answer = [](const std::string& error) { return R"({"jsonrpc":"2.0","id":1,"error":)" + error + "}"; };
    CHECK(world.send(World::request("1", row.method, "{" + member + "}")).last() == answer(row.legacy));
    auto& modern = world.send(World::modern("1", row.method, member), World::modern_headers(row.method, shown));
    CHECK(modern.last() == answer(row.modern));
    CHECK(modern.responder.status == (row.modern.find("-32021") == std::string::npos ? 200 : 400));
  }
}

TEST_CASE("relayed errors: an address to visit that cannot be read") {
  World world;
  world.attach_script("s", failing_server({{"visit", R"({"code":-32042,"message":"go","data":{"elicitations":[]}})"}}));
  world.allow({"role:run,resource:tools"});
  auto& visit = world.send(World::request("1", "tools/call",
                                          R"({"name":"s__visit","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
                                          R"("io.modelcontextprotocol/clientCapabilities":{"elicitation":{"url":{}}}}})"),
                           World::modern_headers("tools/call", "s__visit"));
  CHECK(visit.answer().find("error")->find("code")->as_int().value_or(0) == -32603);
}
