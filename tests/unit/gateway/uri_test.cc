#include "gateway/uri.h"

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
