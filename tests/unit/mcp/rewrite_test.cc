#include "mcp/rewrite.h"

#include <doctest/doctest.h>

using namespace mcptoken;
using namespace mcptoken::mcp;

namespace {

Message must_parse(const std::string& text, Origin origin = Origin::client, const json::ReadLimits& limits = {}) {
  auto message = Message::parse(text, origin, limits);
  if (!message) FAIL(message.error().message);
  return *std::move(message);
}
Message request(const std::string& params) {
  return must_parse(R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":)" + params + "}");
}
Message reply(const std::string& result) {
  return must_parse(R"({"jsonrpc":"2.0","id":7,"result":)" + result + "}", Origin::server);
}

std::string join(const HopParams& params) {
  std::string out;
  for (auto piece : params.pieces())
    out.append(piece);
  return out;
}
std::string legacy_params(const std::string& params, std::string_view token = "", std::string_view member = "",
                          std::string_view value = "") {
  auto message = request(params);
  HopMeta hop;
  hop.progress_token = token;
  std::vector<ParamEdit> edits;
  if (!member.empty()) edits.push_back({std::string(member), std::string(value)});
  return join(HopParams(message, hop, edits));
}
std::string modern_params(const std::string& params, std::string_view token = "") {
  auto message = request(params);
  HopMeta hop;
  hop.era = Era::modern;
  hop.client_info = R"({"name":"gateway"})";
  hop.capabilities = R"({"roots":{}})";
  hop.progress_token = token;
  return join(HopParams(message, hop));
}
std::string for_client(const std::string& result, Era era, std::string_view id = "\"x\"") {
  auto message = reply(result);
  ClientHop hop;
  hop.era = era;
  hop.id = id;
  hop.server_info = R"({"name":"p"})";
  return to_client(message, hop);
}

const std::string kModernMeta =
    R"("io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"roots":{}},"io.modelcontextprotocol/clientInfo":{"name":"gateway"})";

}  // namespace

TEST_CASE("rewrite: what is not the hop's stays byte for byte") {
  const std::string params =
      R"({ "z": 1e2 , "arguments" : {"n":12345678901234567890123,"f":1.10,"s":"\u00e4\/","o":{"b":1,"a":2}},"name":"x"})";
  CHECK(legacy_params(params) == params);
  CHECK(legacy_params(R"({"name":"p__x","arguments":{"a":1.0}})", "", "name", R"("x\"y")") ==
        R"({"name":"x\"y","arguments":{"a":1.0}})");
  CHECK(legacy_params(R"({"arguments":{},"name":"p__x","_meta":{"traceparent":"t"}})", "", "name", "\"x\"") ==
        R"({"arguments":{},"name":"x","_meta":{"traceparent":"t"}})");
}

TEST_CASE("rewrite: _meta towards a legacy server") {
  CHECK(legacy_params("{}") == "{}");
  CHECK(legacy_params("{}", "5") == R"({"_meta":{"progressToken":5}})");
  CHECK(legacy_params(R"({"name":"x"})", "5") == R"({"name":"x","_meta":{"progressToken":5}})");
  // The envelope of the modern era and the client's own token go; nothing is left, so the member goes too.
  CHECK(
      legacy_params(
          R"({"name":"x","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","progressToken":"mine"}})") ==
      R"({"name":"x"})");
  CHECK(legacy_params(R"({"_meta":{"progressToken":"mine"},"name":"x"})", "5") ==
        R"({"_meta":{"progressToken":5},"name":"x"})");
  CHECK(
      legacy_params(
          R"({"_meta":{"com.example/a":{"x":[1, 2.50]},"progressToken":1,"traceparent":"00-1","baggage":"k=v","plain":null}})",
          "5") ==
      R"({"_meta":{"com.example/a":{"x":[1, 2.50]},"traceparent":"00-1","baggage":"k=v","plain":null,"progressToken":5}})");
}

TEST_CASE("rewrite: _meta towards a modern server is the gateway's") {
  CHECK(modern_params("{}") == R"({"_meta":{)" + kModernMeta + "}}");
  CHECK(
      modern_params(
          R"({"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"sampling":{}},)"
          R"("io.modelcontextprotocol/clientInfo":{"name":"c"},"io.modelcontextprotocol/logLevel":"debug","tracestate":"a=b"}})",
          "9") == R"({"_meta":{"tracestate":"a=b",)" + kModernMeta + R"(,"progressToken":9}})");
  auto message = request("{}");
  HopMeta hop;
  hop.era = Era::modern;
  hop.log_level = "warning";
  auto text = hop_meta(message, hop);
  CHECK(text.find(R"("io.modelcontextprotocol/logLevel":"warning")") != std::string::npos);
  CHECK(text.find("clientInfo") == std::string::npos);
}

TEST_CASE("rewrite: a request without params") {
  auto message = must_parse(R"({"jsonrpc":"2.0","id":7,"method":"tools/list"})");
  HopMeta hop;
  CHECK(join(HopParams(message, hop)) == "{}");
  hop.progress_token = "\"t\"";
  CHECK(join(HopParams(message, hop)) == R"({"_meta":{"progressToken":"t"}})");
  hop.era = Era::modern;
  auto parsed = must_parse(R"({"jsonrpc":"2.0","id":1,"method":"m","params":)" + join(HopParams(message, hop)) + "}");
  CHECK(read_client_meta(parsed)->protocol_version == std::optional<std::string>(kModernRevision));
  CHECK(read_client_meta(parsed)->progress_token == "\"t\"");
}

TEST_CASE("rewrite: results for a modern client") {
  CHECK(
      for_client(R"({"content":[ ]})", Era::modern) ==
      R"({"jsonrpc":"2.0","id":"x","result":{"content":[ ],"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"p"}}}})");
  // What the server says about itself is replaced, the rest of _meta stays.
  CHECK(
      for_client(
          R"({"resultType":"complete","_meta":{"a":1.0,"io.modelcontextprotocol/serverInfo":{"name":"secret"},"b":2},"n":1e3})",
          Era::modern) ==
      R"({"jsonrpc":"2.0","id":"x","result":{"resultType":"complete","_meta":{"a":1.0,"b":2,"io.modelcontextprotocol/serverInfo":{"name":"p"}},"n":1e3}})");
  CHECK(for_client("{}", Era::modern, "1").starts_with(R"({"jsonrpc":"2.0","id":1,"result":{)"));
}

TEST_CASE("rewrite: results for a legacy client") {
  const std::string plain =
      R"({"content":[{"type":"text","text":"\u00e4"}],"structuredContent":{"ttlMs":1,"resultType":2},"_meta":{"a":1}})";
  CHECK(for_client(plain, Era::legacy) == R"({"jsonrpc":"2.0","id":"x","result":)" + plain + "}");
  CHECK(
      for_client(
          R"({"resultType":"complete","content":[],"ttlMs":5,"cacheScope":"public","_meta":{"io.modelcontextprotocol/serverInfo":{}}})",
          Era::legacy) == R"({"jsonrpc":"2.0","id":"x","result":{"content":[]}})");
  CHECK(for_client(R"({"_meta":{"io.modelcontextprotocol/serverInfo":{},"k":[1]},"content":[]})", Era::legacy) ==
        R"({"jsonrpc":"2.0","id":"x","result":{"_meta":{"k":[1]},"content":[]}})");
  CHECK(for_client("7", Era::legacy) == R"({"jsonrpc":"2.0","id":"x","result":7})");
}

TEST_CASE("rewrite: errors get the client's id") {
  ClientHop hop;
  hop.id = "42";
  auto error =
      must_parse(R"({"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"m","data":[1]}})", Origin::server);
  CHECK(to_client(error, hop) == R"({"jsonrpc":"2.0","id":42,"error":{"code":-32602,"message":"m","data":[1]}})");
  auto unread = must_parse(R"({"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"m"}})", Origin::server);
  CHECK(to_client(unread, hop) == R"({"jsonrpc":"2.0","id":42,"error":{"code":1,"message":"m"}})");
  auto without = must_parse(R"({"jsonrpc":"2.0","error":{"code":1,"message":"m"}})", Origin::server);
  CHECK(must_parse(to_client(without, hop), Origin::server).id() == "42");
}

TEST_CASE("rewrite: messages from nothing") {
  CHECK(error_message("", Error(Status::invalid, "a\"b")) ==
        R"({"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"a\"b"}})");
  CHECK(error_message("\"i\"", Error(Status::invalid, "m").with_rpc(-32021).with_data(R"({"x":1})")) ==
        R"({"jsonrpc":"2.0","id":"i","error":{"code":-32021,"message":"m","data":{"x":1}}})");
  CHECK(result_message("1", "{}") == R"({"jsonrpc":"2.0","id":1,"result":{}})");
  CHECK(notification("n/x", "") == R"({"jsonrpc":"2.0","method":"n/x"})");
  CHECK(notification("n/\"x", "{}") == R"({"jsonrpc":"2.0","method":"n/\"x","params":{}})");
  CHECK(request_head("7", "m", false) + "}" == R"({"jsonrpc":"2.0","id":7,"method":"m"})");
  CHECK(request_head("7", "m", true) + "{}}" == R"({"jsonrpc":"2.0","id":7,"method":"m","params":{}})");
}

TEST_CASE("rewrite: names with escapes pass as they are spelt, and are understood") {
  // What the host says: none of its _meta is lost, and none of the hop's own gets past by its spelling.
  auto message = must_parse(
      R"({"jsonrpc":"2.0","id":7,"method":"x","params":{"caf\u00e9":1,"_meta":{"x\/y":1,"a\"\u00e9":2,"io.modelcontextprotocol\/logLevel":"debug","\u0070rogressToken":3,"z":"\ud83d"}}})",
      Origin::server, server_limits(1000));
  HopMeta hop;
  hop.progress_token = "9";
  CHECK(hop_meta(message, hop) == R"({"x\/y":1,"a\"\u00e9":2,"z":"\ud83d","progressToken":9})");
  CHECK(join(HopParams(message, hop)) ==
        R"({"caf\u00e9":1,"_meta":{"x\/y":1,"a\"\u00e9":2,"z":"\ud83d","progressToken":9}})");

  const std::string odd = R"("caf\u00e9":1,"a\"b":{"\u00e9":1}, "\ud83d\ude00" : [],)";
  CHECK(for_client("{" + odd + R"("content":[]})", Era::legacy) == R"({"jsonrpc":"2.0","id":"x","result":{)" + odd + R"("content":[]}})");
  // A member is one, however it is spelt.
  CHECK(for_client(R"({"\u0072esultType":"complete","_met\u0061":{"\u00e9":1,"io.modelcontextprotocol\/serverInfo":{"name":"up"}}})",
                   Era::modern) ==
        R"({"jsonrpc":"2.0","id":"x","result":{"\u0072esultType":"complete","_met\u0061":{"\u00e9":1,"io.modelcontextprotocol/serverInfo":{"name":"p"}}}})");
  CHECK(for_client(R"({"\u0072esultType":"complete","_meta":{"\u00e9":1,"io.modelcontextprotocol\/serverInfo":{"name":"up"}}})", Era::legacy) ==
        R"({"jsonrpc":"2.0","id":"x","result":{"_meta":{"\u00e9":1}}})");
  auto answer = must_parse(R"({"jsonrpc":"2.0","\u0069d":7,"vendor":1,"v\u00e9ndor":2,"result":{}})", Origin::server);
  ClientHop client;
  client.id = "5";
  CHECK(to_client(answer, client) == R"({"jsonrpc":"2.0","\u0069d":5,"result":{}})");
}
