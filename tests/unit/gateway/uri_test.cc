#include "gateway/uri.h"

#include "mcp/rewrite.h"

#include <doctest/doctest.h>

using namespace mcptoken;
using namespace mcptoken::gateway;

namespace {

Attachment attachment(const std::string& server, const std::string& prefix) {
  auto spec = std::make_shared<ServerSpec>();
  spec->id = "id-" + server;
  spec->name = server;
  return {spec, prefix};
}

std::string rewritten(const Attachment& from, const std::string& result) {
  auto message = mcp::Message::parse(R"({"jsonrpc":"2.0","id":1,"result":)" + result + "}", mcp::Origin::server);
  REQUIRE(message);
  auto edits = uri_edits(from, *message);
  auto text = json::apply(message->text(), message->result()->value, edits);
  CHECK(json::validate(text));
  return text;
}

}  // namespace

TEST_CASE("uri: exposed ones lead back") {
  ProjectView project;
  project.attachments = {attachment("ha", "home"), attachment("ha-two", "two"), attachment("bare", "")};
  for (const char* uri : {"file:///x", "", "m.ha+file:///x", "test://{id}/d", "a+b:c", "\xc3\xa4:\"\\"}) {
    for (auto& one : project.attachments) {
      if (one.prefix.empty() && std::string_view(uri).starts_with("m.ha+")) continue;
      auto target = resolve_uri(project, exposed_uri(one, uri));
      REQUIRE(target);
      CHECK(target->attachment == &one);
      CHECK(target->upstream_name == uri);
    }
  }
  CHECK(exposed_uri(project.attachments[0], "file:///x") == "m.ha+file:///x");
  CHECK(exposed_uri(project.attachments[2], "file:///x") == "file:///x");
  // What looks like another attachment's is that one's: the bare one's own cannot be reached, so it is not shown.
  CHECK(resolve_uri(project, "m.ha+x")->attachment == &project.attachments[0]);
  // The name is the server's, not the prefix; unknown ones belong to whoever has no prefix.
  CHECK(resolve_uri(project, "m.home+x")->attachment == &project.attachments[2]);
  CHECK(resolve_uri(project, "m.bare+x")->upstream_name == "m.bare+x");
  project.attachments.pop_back();
  for (const char* uri : {"m.home+x", "m.h+x", "m.ha", "m.ha-", "M.ha+x", "file:///x", "", "m.+x"}) CHECK_FALSE(resolve_uri(project, uri));
}

TEST_CASE("uri: all places in results, and nothing else") {
  auto from = attachment("s", "s");
  CHECK(rewritten(from, R"({ "content" : [{"type":"resource_link","uri":"a:b","n":1.0}, {"type":"text","text":"\"uri\":\"a:b\""},)"
                        R"({"type":"resource","resource":{"text":"x", "uri":"a:\u00e4"}}], "structuredContent":{"uri":"a:b"}})") ==
        R"({ "content" : [{"type":"resource_link","uri":"m.s+a:b","n":1.0}, {"type":"text","text":"\"uri\":\"a:b\""},)"
        "{\"type\":\"resource\",\"resource\":{\"text\":\"x\", \"uri\":\"m.s+a:\xc3\xa4\"}}], \"structuredContent\":{\"uri\":\"a:b\"}}");
  CHECK(rewritten(from, R"({"messages":[{"role":"user","content":{"type":"resource","resource":{"uri":"a:b","uri2":"a:b"}}},)"
                        R"({"role":"user","content":{"type":"resource_link","uri":"a:c"}}]})") ==
        R"({"messages":[{"role":"user","content":{"type":"resource","resource":{"uri":"m.s+a:b","uri2":"a:b"}}},)"
        R"({"role":"user","content":{"type":"resource_link","uri":"m.s+a:c"}}]})");
  CHECK(rewritten(from, R"({"contents":[{"uri":"a:b","text":"t"},{"uri":7}]})") ==
        R"({"contents":[{"uri":"m.s+a:b","text":"t"},{"uri":7}]})");
  const std::string odd = R"({"content":{"uri":"a:b"},"contents":["uri",null],"messages":[[{"uri":"a"}]],"uri":"a:b"})";
  CHECK(rewritten(from, odd) == odd);
  const std::string plain = R"({"content":[{"type":"resource_link","uri":"a:b"}]})";
  CHECK(rewritten(attachment("s", ""), plain) == plain);
}

TEST_CASE("uri: of user interfaces, of what a model is asked, and of errors") {
  auto from = attachment("s", "s"), bare = attachment("s", "");
  CHECK(rewritten(from, R"({"content":[{"type":"text","text":"x","_meta":{"ui":{"resourceUri":"ui://a"},"ui/resourceUri":"ui://a"}}]})") ==
        R"({"content":[{"type":"text","text":"x","_meta":{"ui":{"resourceUri":"m.s+ui://a"},"ui/resourceUri":"m.s+ui://a"}}]})");
  CHECK(rewritten(from, R"({"contents":[{"_meta":{"ui":{"resourceUri":"ui://a"}},"uri":"ui://b","text":"resourceUri"}]})") ==
        R"({"contents":[{"_meta":{"ui":{"resourceUri":"m.s+ui://a"}},"uri":"m.s+ui://b","text":"resourceUri"}]})");
  // What a tool answered, in what a model is asked: as a modern server's answer, and as a request of a legacy one.
  const std::string messages = R"([{"role":"user","content":[{"type":"tool_result","toolUseId":"1","content":[)"
                               R"({"type":"resource_link","uri":"a:b"},{"type":"resource","resource":{"uri":"a:c"}}]}]}])";
  const std::string shown = R"([{"role":"user","content":[{"type":"tool_result","toolUseId":"1","content":[)"
                            R"({"type":"resource_link","uri":"m.s+a:b"},{"type":"resource","resource":{"uri":"m.s+a:c"}}]}]}])";
  const auto requests = [](const std::string& text) {
    return R"({"q":{"method":"sampling/createMessage","params":{"messages":)" + text + R"(,"uri":"a:b"}},"r":{"method":"roots/list"}})";
  };
  CHECK(rewritten(from, R"({"resultType":"input_required","inputRequests":)" + requests(messages) + "}") ==
        R"({"resultType":"input_required","inputRequests":)" + requests(shown) + "}");
  CHECK(exposed_requests(from, requests(messages)) == requests(shown));
  CHECK(exposed_requests(bare, requests(messages)) == requests(messages));
  auto asked = mcp::Message::parse(R"({"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"messages":)" + messages + "}}",
                                   mcp::Origin::server);
  REQUIRE(asked);
  CHECK(json::apply(asked->text(), asked->param("messages")->value, uri_edits(from, *asked)) == shown);

  auto result = mcp::Message::parse(R"({"jsonrpc":"2.0","id":1,"result":{"_meta":{"a":1.0,"ui":{"resourceUri":"ui://a"}}}})", mcp::Origin::server);
  REQUIRE(result);
  CHECK(exposed_meta(from, *result) == R"({"a":1.0,"ui":{"resourceUri":"m.s+ui://a"}})");
  CHECK(exposed_meta(bare, *result).empty());
  for (auto era : {mcp::Era::legacy, mcp::Era::modern}) {
    mcp::ClientHop hop;
    hop.era = era;
    hop.id = "1";
    hop.server_info = "{}";
    const auto meta = exposed_meta(from, *result);
    hop.meta = meta;
    CHECK(mcp::to_client(*result, hop).find(R"({"a":1.0,"ui":{"resourceUri":"m.s+ui://a"})") != std::string::npos);
  }
  CHECK(exposed_data(from, R"({"uri":"a:b","n":1})") == R"({"uri":"m.s+a:b","n":1})");
  CHECK(exposed_data(from, R"(["uri"])") == R"(["uri"])");
  CHECK(exposed_data(bare, R"({"uri":"\u0061:b"})") == R"({"uri":"\u0061:b"})");
  // A key that is spelt with escapes, somewhere below, keeps nothing above it from being rewritten.
  CHECK(rewritten(from, R"({"content":[{"type":"resource_link","uri":"a:b","x":{"y":{"z":{"w":{"u\u0072i":1}}}}}]})") ==
        R"({"content":[{"type":"resource_link","uri":"m.s+a:b","x":{"y":{"z":{"w":{"u\u0072i":1}}}}}]})");
}
