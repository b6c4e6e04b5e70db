#include "mcp/handshake.h"

#include <doctest/doctest.h>

#include <optional>

using namespace mcptoken;
using namespace mcptoken::mcp;

namespace {

Message answer(const std::string& rest) {
  auto message = Message::parse(R"({"jsonrpc":"2.0","id":1,)" + rest + "}", Origin::server);
  if (!message) FAIL(message.error().message);
  return *std::move(message);
}
std::string error(int64_t code, const std::string& data = "") {
  return R"("error":{"code":)" + std::to_string(code) + R"(,"message":"m")" +
         (data.empty() ? "" : ",\"data\":" + data) + "}";
}

}  // namespace

TEST_CASE("handshake: what an answer to server/discover says") {
  struct Row {
    std::string answer;
    std::optional<Era> era;  // nothing: cannot be spoken to
  };
  const Row rows[] = {
      {R"("result":{"supportedVersions":["2026-07-28"]})", Era::modern},
      {R"("result":{"supportedVersions":["2025-11-25","2026-07-28","2027-01-01"]})", Era::modern},
      {R"("result":{"supportedVersions":["2025-11-25"]})", Era::legacy},
      {R"("result":{"supportedVersions":[]})", Era::legacy},
      {R"("result":{"supportedVersions":"2026-07-28"})", Era::legacy},
      {R"("result":{"supportedVersions":[["2026-07-28"],20260728]})", Era::legacy},
      {R"("result":{})", Era::legacy},
      {R"("result":7)", Era::legacy},
      {error(rpc::kMethodNotFound), Era::legacy},  // every modern server has server/discover
      {error(rpc::kInvalidParams), Era::legacy},
      {error(rpc::kInvalidRequest), Era::legacy},
      {error(-32000), Era::legacy},
      {error(0), Era::legacy},
      {error(rpc::kHeaderMismatch), Era::modern},
      {error(rpc::kMissingCapability), Era::modern},
      {error(rpc::kUnsupportedVersion), Era::modern},
      {error(rpc::kUnsupportedVersion, R"({"requested":"x"})"), Era::modern},
      {error(rpc::kUnsupportedVersion, R"({"supported":["2026-07-28"]})"), Era::modern},
      {error(rpc::kUnsupportedVersion, R"({"supported":["2027-01-01","2025-11-25"]})"), Era::legacy},
      {error(rpc::kUnsupportedVersion, R"({"supported":["2027-01-01"]})"), std::nullopt},
      {error(rpc::kUnsupportedVersion, R"({"supported":7})"), std::nullopt},
  };
  for (auto& row : rows) {
    CAPTURE(row.answer);
    auto era = judge_discover(answer(row.answer));
    REQUIRE(era.has_value() == row.era.has_value());
    if (era)
      CHECK(*era == *row.era);
    else
      CHECK(era.error().status == Status::protocol);
  }
}

TEST_CASE("handshake: the answer to initialize") {
  auto info = read_initialize_result(answer(
      R"("result":{"protocolVersion":"2025-06-18","capabilities":{"tools":{ }},"serverInfo":{"name":"s"},"instructions":"do\nthis"})"));
  REQUIRE(info);
  CHECK(info->era == Era::legacy);
  CHECK(info->revision == "2025-06-18");
  CHECK(info->capabilities == R"({"tools":{ }})");
  CHECK(info->server_info == R"({"name":"s"})");
  CHECK(info->instructions == "do\nthis");
  auto bare =
      read_initialize_result(answer(R"("result":{"protocolVersion":"2024-11-05","capabilities":[],"instructions":5})"));
  REQUIRE(bare);
  CHECK(bare->capabilities == "{}");
  CHECK(bare->server_info == "{}");
  CHECK(bare->instructions.empty());
  for (const char* result : {"{}", R"({"protocolVersion":"2026-07-28"})", R"({"protocolVersion":"1.0"})",
                             R"({"protocolVersion":7})", "null"}) {
    CAPTURE(result);
    auto bad = read_initialize_result(answer(R"("result":)" + std::string(result)));
    REQUIRE_FALSE(bad);
    CHECK(bad.error().status == Status::protocol);
  }
  auto refused = read_initialize_result(answer(error(-32602)));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().rpc == -32602);
}

TEST_CASE("handshake: the answer to server/discover") {
  auto info = read_discover_result(answer(
      R"("result":{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"serverInfo":{"name":"old place"},"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s"}},"instructions":"i"})"));
  REQUIRE(info);
  CHECK(info->era == Era::modern);
  CHECK(info->revision == kModernRevision);
  CHECK(info->server_info == R"({"name":"s"})");
  CHECK(info->instructions == "i");
  CHECK(read_discover_result(answer(R"("result":{"serverInfo":{"name":"s"},"_meta":null})"))->server_info ==
        R"({"name":"s"})");
  CHECK_FALSE(read_discover_result(answer(error(-32603))));
}

TEST_CASE("handshake: whether a server says when its lists change") {
  const auto announces = [](const char* capabilities) {
    PeerInfo info;
    info.capabilities = capabilities;
    return announces_changes(info);
  };
  CHECK(announces(R"({"tools":{"listChanged":true}})"));
  CHECK(announces(R"({"tools":{},"prompts":{"a":[],"listChanged":true}})"));
  CHECK(announces(R"({"resources":{"subscribe":false,"listChanged": true }})"));
  for (const char* no : {"{}", "[]", "", R"({"tools":{}})", R"({"tools":{"listChanged":false}})", R"({"tools":{"listChanged":"true"}})",
                         R"({"tools":[true],"listChanged":true})", R"({"logging":{"listChanged":true}})"})
    CHECK_MESSAGE(!announces(no), no);
}

TEST_CASE("handshake: opening requests") {
  PeerIdentity identity;
  identity.client_info = R"({"name":"g","version":"1"})";
  identity.capabilities = kElicitationForm | kRoots;
  CHECK(
      initialize_params(identity, "2025-11-25") ==
      R"({"protocolVersion":"2025-11-25","capabilities":{"elicitation":{"form":{}},"roots":{}},"clientInfo":{"name":"g","version":"1"}})");
  auto discover = Message::parse(
      R"({"jsonrpc":"2.0","id":1,"method":"server/discover","params":)" + discover_params(identity) + "}",
      Origin::client);
  REQUIRE(discover);
  auto meta = read_client_meta(*discover);
  REQUIRE(meta);
  CHECK(meta->protocol_version == std::optional<std::string>(kModernRevision));
  CHECK(meta->capabilities == identity.capabilities);
  CHECK(meta->client_name == "g");
}

TEST_CASE("revision: eras do not overlap") {
  for (auto revision : legacy_revisions()) {
    CHECK(is_legacy(revision));
    CHECK_FALSE(is_modern(revision));
  }
  CHECK(is_modern(kModernRevision));
  CHECK_FALSE(is_legacy(kModernRevision));
  CHECK(legacy_revisions()[0] == kNewestLegacyRevision);
  CHECK(is_legacy(kAssumedLegacyRevision));
  for (const char* other : {"", "2025-11-2", "2025-11-255", " 2025-11-25"})
    CHECK_FALSE(is_legacy(other));
}
