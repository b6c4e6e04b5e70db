#include "mcp/message.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace mcptoken;
using namespace mcptoken::mcp;

namespace {

Message must_parse(std::string text, Origin origin = Origin::client) {
  auto message = Message::parse(std::move(text), origin);
  if (!message) FAIL(message.error().message);
  return *std::move(message);
}

int64_t code_of(std::string text, Origin origin = Origin::client) {
  auto message = Message::parse(std::move(text), origin);
  return message ? 0 : message.error().rpc;
}

std::string request_with_id(const std::string& id) { return R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":"ping"})"; }
std::string request_with_params(const std::string& params) {
  return R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":)" + params + "}";
}
Message with_meta(const std::string& meta) { return must_parse(request_with_params(R"({"_meta":)" + meta + "}")); }

}  // namespace

TEST_CASE("message: kinds") {
  struct Row {
    const char* text;
    MessageKind kind;
    bool call;
  };
  const Row rows[] = {
      {R"({"jsonrpc":"2.0","id":1,"method":"ping"})", MessageKind::request, true},
      {R"({"jsonrpc":"2.0","id":"a","method":"ping","params":{}})", MessageKind::request, true},
      {R"({"jsonrpc":"2.0","method":"notifications/x"})", MessageKind::notification, true},
      {R"({"jsonrpc":"2.0","id":1,"result":{}})", MessageKind::result, false},
      {R"({"jsonrpc":"2.0","id":1,"result":null})", MessageKind::result, false},
      {R"({"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"x"}})", MessageKind::error, false},
      {R"({"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"x"}})", MessageKind::error, false},
      {R"({"jsonrpc":"2.0","error":{"code":-1,"message":"x"}})", MessageKind::error, false},
  };
  for (auto& row : rows) {
    CAPTURE(row.text);
    auto message = must_parse(row.text);
    CHECK(message.kind() == row.kind);
    CHECK(message.is_call() == row.call);
    CHECK(message.text() == row.text);
  }
}

TEST_CASE("message: what is refused, and with which code") {
  struct Row {
    std::string text;
    int64_t code;
  };
  const Row rows[] = {
      {"", rpc::kParseError},
      {"{", rpc::kParseError},
      {"\xef\xbb\xbf" + request_with_id("1"), rpc::kParseError},
      {request_with_id("1") + request_with_id("2"), rpc::kParseError},
      {request_with_id("1") + std::string(1, '\0'), rpc::kParseError},
      {request_with_id("1") + std::string(1, '\0') + request_with_id("2"), rpc::kParseError},
      {R"({"jsonrpc":"2.0","id":1,"id":2,"method":"ping"})", rpc::kParseError},
      {R"({"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"})", rpc::kParseError},
      {R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}})", rpc::kParseError},
      {R"({"jsonrpc":"2.0","id":1,"m\u0065thod":"ping"})", rpc::kParseError},
      {R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"n\u0061me":"b"}})", rpc::kParseError},
      {"[" + request_with_id("1") + "]", rpc::kInvalidRequest},
      {"[]", rpc::kInvalidRequest},
      {"1", rpc::kInvalidRequest},
      {"null", rpc::kInvalidRequest},
      {"{}", rpc::kInvalidRequest},
      {R"({"id":1,"method":"ping"})", rpc::kInvalidRequest},
      {R"({"jsonrpc":"1.0","id":1,"method":"ping"})", rpc::kInvalidRequest},
      {R"({"jsonrpc":2.0,"id":1,"method":"ping"})", rpc::kInvalidRequest},
      {R"({"jsonrpc":"2.0","id":1})", rpc::kInvalidRequest},
      {R"({"jsonrpc":"2.0","id":1,"method":7})", rpc::kInvalidRequest},
      {R"({"jsonrpc":"2.0","id":1,"method":null})", rpc::kInvalidRequest},
      {R"({"jsonrpc":"2.0","id":1,"method":"ping","result":{}})", rpc::kInvalidRequest},
      {R"({"jsonrpc":"2.0","id":1,"method":"ping","error":{}})", rpc::kInvalidRequest},
      {R"({"jsonrpc":"2.0","id":1,"result":{},"error":{}})", rpc::kInvalidRequest},
      {R"({"jsonrpc":"2.0","result":{}})", rpc::kInvalidRequest},
      {R"({"jsonrpc":"2.0","id":1,"error":"x"})", rpc::kInvalidRequest},
      {R"({"jsonrpc":"2.0","id":null,"result":{}})", rpc::kInvalidRequest},
      {request_with_params("[]"), rpc::kInvalidParams},
      {request_with_params("null"), rpc::kInvalidParams},
      {request_with_params(R"("x")"), rpc::kInvalidParams},
      {request_with_params(R"({"_meta":[]})"), rpc::kInvalidParams},
      {request_with_params(R"({"_meta":null})"), rpc::kInvalidParams},
  };
  for (auto& row : rows) {
    CAPTURE(row.text);
    CHECK(code_of(row.text) == row.code);
  }
  // A request that is refused is answered under its own id, where it has one that an answer may have.
  const auto refused_id = [](const std::string& text) {
    std::string id;
    CHECK_FALSE(Message::parse(text, Origin::client, {}, &id));
    return id;
  };
  CHECK(refused_id(R"({"jsonrpc":"2.0","id":7,"method":"ping","params":[]})") == "7");
  CHECK(refused_id(R"({"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"Name":"x"}})") == "\"a\"");
  CHECK(refused_id(R"({"jsonrpc":"1.0","id":7,"method":"ping"})") == "7");
  CHECK(refused_id(R"({"jsonrpc":"2.0","id":7,"method":"ping","result":{}})") == "7");
  for (const char* text : {R"({"jsonrpc":"2.0","id":1.5,"method":"ping"})", R"({"jsonrpc":"2.0","id":null,"method":"ping"})",
                           R"({"jsonrpc":"2.0","id":7,"result":{},"error":{}})", R"({"jsonrpc":"2.0","id":7})", R"([{"id":7}])", "{"})
    CHECK(refused_id(text) == "");
  auto refused = Message::parse("{", Origin::client);
  CHECK(refused.error().http == 400);
}

TEST_CASE("message: ids at their limits") {
  const std::string longest = "\"" + std::string(256, 'x') + "\"", longer = "\"" + std::string(257, 'x') + "\"";
  for (const std::string& id :
       {std::string("0"), std::string("-1"), std::string("9007199254740990"), std::string("9007199254740991"),
        std::string("-9007199254740991"), std::string("\"\""), std::string("\"1\""), longest}) {
    CAPTURE(id);
    CHECK(must_parse(request_with_id(id)).id() == id);
  }
  for (const std::string& id :
       {std::string("9007199254740992"), std::string("-9007199254740992"), std::string("1.0"), std::string("1e3"),
        std::string("0.5"), std::string("99999999999999999999"), std::string("null"), std::string("true"),
        std::string("{}"), std::string("[1]"), longer}) {
    CAPTURE(id);
    CHECK(code_of(request_with_id(id)) == rpc::kInvalidRequest);
  }
}

TEST_CASE("message: a client's protocol members are spelt exactly") {
  const char* envelope[] = {R"("Method":"x")",      R"("METHOD":"x")",     R"("ID":2)",
                            "\"param\xc5\xbf\":{}", "\"re\xc5\xbfult\":1", R"("Error":{})"};
  for (std::string member : envelope) {
    CAPTURE(member);
    CHECK(code_of(R"({"jsonrpc":"2.0","id":1,"method":"ping",)" + member + "}") == rpc::kInvalidRequest);
    // A server's unknown members are dropped by the rewriting, so they may be there.
    CHECK(code_of(R"({"jsonrpc":"2.0","id":1,"method":"ping",)" + member + "}", Origin::server) == 0);
  }
  const char* params[] = {R"("Name":"x")",         R"("URI":"x")",     "\"argument\xc5\xbf\":{}", R"("_Meta":{})",
                          R"("requeststate":"x")", R"("RequestId":1)", R"("CURSOR":"")"};
  for (std::string member : params) {
    CAPTURE(member);
    CHECK(code_of(request_with_params(R"({"name":"a",)" + member + "}")) == rpc::kInvalidRequest);
  }
  // A NUL inside a key would end the name for a reader in C.
  CHECK(code_of(R"({"jsonrpc":"2.0","id":1,"method":"ping","method\u0000":"x"})") != 0);
  // Below what is judged anything goes: arguments are the tool's.
  CHECK(code_of(request_with_params(R"({"name":"a","arguments":{"Name":1,"NAME":2}})")) == 0);
  CHECK(code_of(request_with_params(R"({"name":"a","extra":1})")) == 0);
}

TEST_CASE("message: members") {
  auto message =
      must_parse(request_with_params(R"({"name":"a\u00e4\n","n":7,"_meta":{"x":1},"arguments":{"k":[1, 2]}})"));
  CHECK(message.method() == "tools/call");
  CHECK(message.string_param("name") == std::optional<std::string>("a\xc3\xa4\n"));
  CHECK_FALSE(message.string_param("n"));
  CHECK_FALSE(message.string_param("gone"));
  REQUIRE(message.meta());
  CHECK(message.outline().raw(*message.meta()) == R"({"x":1})");
  CHECK(message.outline().raw(*message.param("arguments")) == R"({"k":[1, 2]})");
  auto moved = std::move(message);  // the outline borrows from what moves along
  CHECK(moved.outline().raw(*moved.param("arguments")) == R"({"k":[1, 2]})");

  auto bare = must_parse(request_with_id("1"));
  CHECK(bare.param("name") == nullptr);
  CHECK(bare.meta() == nullptr);
  auto result = must_parse(R"({"jsonrpc":"2.0","id":1,"result":{"tools":[]}})", Origin::server);
  REQUIRE(result.in_result("tools"));
  CHECK(result.in_result("x") == nullptr);
  CHECK(must_parse(R"({"jsonrpc":"2.0","id":1,"result":7})", Origin::server).in_result("x") == nullptr);
}

TEST_CASE("message: errors as they came") {
  auto error = must_parse(R"({"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no \"x\"","data":{"a":[1]}}})")
                   .to_error();
  CHECK(error.status == Status::remote);
  CHECK(error.rpc == -32602);
  CHECK(error.message == "no \"x\"");
  CHECK(error.data == R"({"a":[1]})");
  for (const char* body :
       {R"({})", R"({"code":"x","message":5})", R"({"code":1.5})", R"({"code":99999999999999999999})"}) {
    CAPTURE(body);
    auto odd = must_parse(R"({"jsonrpc":"2.0","id":1,"error":)" + std::string(body) + "}").to_error();
    CHECK(odd.rpc == rpc::kInternalError);
    CHECK_FALSE(odd.message.empty());
    CHECK(odd.data.empty());
  }
}

TEST_CASE("message: a body beyond the limit is 413, a malformed one 400") {
  json::ReadLimits limits;
  limits.bytes = 64;
  std::string exact = R"({"jsonrpc":"2.0","id":1,"method":"ping","x":")";
  exact.append(64 - exact.size() - 2, 'x').append("\"}");
  REQUIRE(exact.size() == 64);
  CHECK(Message::parse(exact, Origin::client, limits));
  auto refused = Message::parse(exact + " ", Origin::client, limits);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().http == 413);
}

TEST_CASE("message: capabilities as a mask") {
  struct Row {
    const char* capabilities;
    uint32_t mask;
  };
  const Row rows[] = {
      {"{}", 0},
      {R"({"elicitation":{}})", kElicitationForm},  // what clients before 2025-11-25 send
      {R"({"elicitation":{"form":{}}})", kElicitationForm},
      {R"({"elicitation":{"url":{}}})", kElicitationUrl},
      {R"({"elicitation":{"form":{},"url":{}}})", kElicitationForm | kElicitationUrl},
      {R"({"elicitation":{"vendor":{}}})", kElicitationForm},
      {R"({"elicitation":true})", 0},
      {R"({"elicitation":null})", 0},
      {R"({"sampling":{}})", kSampling},
      {R"({"sampling":{"tools":{}}})", kSampling | kSamplingTools},
      {R"({"sampling":{"tools":true}})", kSampling},
      {R"({"roots":{"listChanged":true}})", kRoots},
      {R"({"experimental":{"elicitation":{}}})", 0},
  };
  for (auto& row : rows) {
    CAPTURE(row.capabilities);
    auto meta = read_client_meta(
        with_meta(R"({"io.modelcontextprotocol/clientCapabilities":)" + std::string(row.capabilities) + "}"));
    REQUIRE(meta);
    CHECK(meta->has_capabilities);
    CHECK(meta->capabilities == row.mask);
    auto init = read_initialize(must_parse(request_with_params(R"({"protocolVersion":"2025-11-25","capabilities":)" +
                                                               std::string(row.capabilities) + "}")));
    REQUIRE(init);
    CHECK(init->capabilities == row.mask);
    // What is written for a mask is read as the same mask.
    auto again = read_initialize(must_parse(
        request_with_params(R"({"protocolVersion":"2025-11-25","capabilities":)" + capabilities_json(row.mask) + "}")));
    REQUIRE(again);
    CHECK(again->capabilities == row.mask);
  }
  CHECK(capabilities_json(0) == "{}");
}

TEST_CASE("message: _meta of a request") {
  auto meta = read_client_meta(with_meta(
      R"({"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"n","version":"v","x":{"y":{"z":1}}},)"
      R"("io.modelcontextprotocol/logLevel":"debug","progressToken":"t\"1","com.example/deep":{"a":{"b":{"c":{}}}}})"));
  REQUIRE(meta);
  CHECK(meta->protocol_version == std::optional<std::string>("2026-07-28"));
  CHECK_FALSE(meta->has_capabilities);
  CHECK(meta->client_name == "n");
  CHECK(meta->client_version == "v");
  CHECK(meta->log_level == "debug");
  CHECK(meta->progress_token == R"("t\"1")");  // as it stands
  CHECK(read_client_meta(with_meta(R"({"progressToken":0})"))->progress_token == "0");

  auto none = read_client_meta(must_parse(request_with_id("1")));
  REQUIRE(none);
  CHECK_FALSE(none->protocol_version);
  CHECK(none->progress_token.empty());

  const char* refused[] = {
      R"({"io.modelcontextprotocol/protocolVersion":20260728})",
      R"({"io.modelcontextprotocol/clientCapabilities":[]})",
      R"({"io.modelcontextprotocol/clientCapabilities":null})",
      R"({"progressToken":{}})",
      R"({"progressToken":null})",
      R"({"progressToken":true})",
      R"({"progresstoken":1})",
      R"({"io.modelcontextprotocol/ProtocolVersion":"2026-07-28"})",
  };
  for (const char* text : refused) {
    CAPTURE(text);
    auto bad = read_client_meta(with_meta(text));
    REQUIRE_FALSE(bad);
    CHECK(bad.error().http == 400);
    CHECK((bad.error().rpc == rpc::kInvalidParams || bad.error().rpc == rpc::kInvalidRequest));
  }
}

TEST_CASE("message: params of initialize") {
  auto init = read_initialize(must_parse(
      R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"roots":{}},"clientInfo":{"name":"n","version":"v"}}})"));
  REQUIRE(init);
  CHECK(init->protocol_version == "2025-06-18");
  CHECK(init->capabilities == kRoots);
  CHECK(init->client_name == "n");
  CHECK(init->client_version == "v");
  CHECK(read_initialize(must_parse(request_with_params(R"({"protocolVersion":"2099-01-01"})")))->capabilities == 0);
  for (const char* params : {"{}", R"({"protocolVersion":7})", R"({"protocolVersion":""})"}) {
    CAPTURE(params);
    auto bad = read_initialize(must_parse(request_with_params(params)));
    REQUIRE_FALSE(bad);
    CHECK(bad.error().rpc == rpc::kInvalidParams);
  }
  CHECK_FALSE(read_initialize(must_parse(request_with_id("1"))));
}

TEST_CASE("message: a key spelt with escapes is refused of a client, and means what it stands for of a server or host") {
  const char* params[] = {R"({"caf\u00e9":1})", R"({"a\"b":1})", R"({"\u006eame":"x"})"};
  for (std::string text : params) {
    CAPTURE(text);
    CHECK(code_of(request_with_params(text)) == rpc::kParseError);
    CHECK(code_of(request_with_params(text), Origin::server) == 0);
  }
  auto call = must_parse(R"({"jsonrpc":"2.0","\u0069d":7,"method":"x","\u0070arams":{"\u006eame":"n","_met\u0061":{"y":1}}})", Origin::server);
  CHECK(call.kind() == MessageKind::request);
  CHECK(call.id() == "7");
  CHECK(call.string_param("name") == std::optional<std::string>("n"));
  REQUIRE(call.meta());
  CHECK(call.outline().raw(*call.meta()) == R"({"y":1})");
  auto result = must_parse(R"({"jsonrpc":"2.0","id":1,"result":{"caf\u00e9":[1],"\u0063ontent":[]}})", Origin::server);
  REQUIRE(result.in_result("content"));
  CHECK(result.outline().raw(*result.in_result("caf\xC3\xA9")) == "[1]");
  // No spelling hides one behind another.
  for (const char* text : {R"({"jsonrpc":"2.0","id":1,"method":"x","params":{"a":1},"\u0070arams":{"a":2}})",
                           R"({"jsonrpc":"2.0","id":1,"method":"x","params":{"name":"a","\u006eame":"b"}})",
                           R"({"jsonrpc":"2.0","id":1,"\u0069d":2,"result":{}})"}) {
    CAPTURE(text);
    CHECK_FALSE(Message::parse(text, Origin::server));
    CHECK_FALSE(Message::parse(text, Origin::server, server_limits(1000)));
  }
  CHECK(read_capabilities(R"({"experimental":{"caf\u00e9":{}},"\u0072oots":{}})").value() == kRoots);
}
