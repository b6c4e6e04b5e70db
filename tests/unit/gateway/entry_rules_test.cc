// What is insisted on in entries of lists: by the schemas of both eras, and by the official clients, which refuse a list whole.
#include "gateway/entry_rules.h"

#include <doctest/doctest.h>

#include <string>

using namespace mcptoken;
using namespace mcptoken::gateway;

namespace {

struct Row {
  const char* members;  // behind those that are needed
  const char* flaw;     // "" for none
};

std::string flaw_of_text(Kind kind, const std::string& text) {
  auto outline = json::Outline::read(text, 1);
  REQUIRE_MESSAGE(outline, text);
  return flaw_of(kind, *outline);
}

template <size_t N>
void check(Kind kind, const std::string& needed, const Row (&rows)[N]) {
  for (const Row& row : rows) {
    CAPTURE(row.members);
    const std::string more = row.members;
    CHECK(flaw_of_text(kind, "{" + needed + (more.empty() || needed.empty() ? "" : ",") + more + "}") == row.flaw);
  }
}

}  // namespace

TEST_CASE("entry rules: every kind") {
  const Row rows[] = {
      {"", ""},
      {R"("title":"t","description":"d","icons":[{"src":"x","mimeType":"m","sizes":["any"],"theme":"dark"},{"src":"y","new":1}],"_meta":{"a":1})", ""},
      {R"("title":7)", "title is not text"},
      {R"("title":null)", "title is not text"},
      {R"("description":["d"])", "description is not text"},
      {R"("icons":{})", "icons is not an array"},
      {R"("icons":["x"])", "icons[0] is not an object"},
      {R"("icons":[{"src":"x"},{}])", "icons[1].src is missing"},
      {R"("icons":[{"src":"x","sizes":"any"}])", "icons[0].sizes is not an array"},
      {R"("icons":[{"src":"x","theme":"grey"}])", "icons[0].theme is not \"light\" or \"dark\""},
      {R"("_meta":[])", "_meta is not an object"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.members);
    const std::string more = *row.members ? std::string(",") + row.members : "";
    CHECK(flaw_of_text(Kind::tools, R"({"name":"n","inputSchema":{"type":"object"})" + more + "}") == row.flaw);
    CHECK(flaw_of_text(Kind::prompts, R"({"name":"n")" + more + "}") == row.flaw);
    CHECK(flaw_of_text(Kind::resources, R"({"name":"n","uri":"a:b")" + more + "}") == row.flaw);
    CHECK(flaw_of_text(Kind::templates, R"({"name":"n","uriTemplate":"a:{b}")" + more + "}") == row.flaw);
  }
  for (Kind kind : {Kind::tools, Kind::prompts, Kind::resources, Kind::templates}) {
    CHECK(flaw_of_text(kind, "7") == "it is not an object");
    CHECK(flaw_of_text(kind, "null") == "it is not an object");
    CHECK(flaw_of_text(kind, "{}") == "name is missing");
    CHECK(flaw_of_text(kind, R"({"name":7})") == "name is not text");
  }
}

TEST_CASE("entry rules: tools") {
  const Row schemas[] = {
      {"", "inputSchema is missing"},
      {R"("inputSchema":null)", "inputSchema is not an object"},
      {R"("inputSchema":"object")", "inputSchema is not an object"},
      {R"("inputSchema":true)", "inputSchema is not an object"},
      {R"("inputSchema":{})", "inputSchema.type is missing"},
      {R"("inputSchema":{"type":"string"})", "inputSchema.type is not \"object\""},
      {R"("inputSchema":{"type":["object"]})", "inputSchema.type is not \"object\""},
      {R"("inputSchema":{"type":"object","$schema":7})", "inputSchema.$schema is not text"},
      {R"("inputSchema":{"type":"object","properties":[]})", "inputSchema.properties is not an object"},
      {R"("inputSchema":{"type":"object","properties":{"a":{},"b":"string"}})", "inputSchema.properties[b] is not a schema"},
      {R"("inputSchema":{"type":"object","required":null})", "inputSchema.required is not an array"},
      {R"("inputSchema":{"type":"object","required":["a",1]})", "inputSchema.required[1] is not text"},
      {R"("inputSchema":{"type":"object","properties":{"a":true,"\u00e9":{"x":{"x":1,"x":2}}},"required":["\u00e9"],"x-\u00e9":{"y":1}})", ""},
      {R"("inputSchema":{"type":"object","oneOf":[{"required":7}],"$defs":{"A":{"$anchor":"A"}}})", ""},
  };
  for (const Row& row : schemas) {
    CAPTURE(row.members);
    auto limits = json::ReadLimits();
    limits.lenient = true;
    const std::string text = std::string(R"({"name":"n")") + (*row.members ? "," : "") + row.members + "}";
    auto outline = json::Outline::read(text, 1, limits);
    REQUIRE(outline);
    CHECK(flaw_of(Kind::tools, *outline) == row.flaw);
  }
  const Row rows[] = {
      {R"("annotations":{"title":"t","readOnlyHint":true,"new":7},"execution":{"taskSupport":"optional"},"outputSchema":{"type":"array"})", ""},
      {R"("annotations":[])", "annotations is not an object"},
      {R"("annotations":{"title":1})", "annotations.title is not text"},
      {R"("annotations":{"destructiveHint":"yes"})", "annotations.destructiveHint is not true or false"},
      {R"("execution":null)", "execution is not an object"},
      {R"("execution":{"taskSupport":"maybe"})", "execution.taskSupport is not \"required\", \"optional\" or \"forbidden\""},
      {R"("outputSchema":true)", "outputSchema is not an object"},
      {R"("outputSchema":{"type":"object","properties":7})", "outputSchema.properties is not an object"},
  };
  check(Kind::tools, R"("name":"n","inputSchema":{"type":"object"})", rows);
}

TEST_CASE("entry rules: prompts, resources and templates") {
  const Row prompts[] = {
      {R"("arguments":[{"name":"a","description":"d","required":true,"title":7}])", ""},
      {R"("arguments":{})", "arguments is not an array"},
      {R"("arguments":[{"name":"a"},{"description":"d"}])", "arguments[1].name is missing"},
      {R"("arguments":[{"name":"a","required":"yes"}])", "arguments[0].required is not true or false"},
  };
  check(Kind::prompts, R"("name":"n")", prompts);
  const Row both[] = {
      {R"("mimeType":"text/plain","annotations":{"audience":["user"],"priority":0.5,"lastModified":"2025-01-31T12:00:58.5Z"})", ""},
      {R"("annotations":{"lastModified":"2024-02-29T12:00-09:30","priority":1})", ""},
      {R"("mimeType":1)", "mimeType is not text"},
      {R"("annotations":"x")", "annotations is not an object"},
      {R"("annotations":{"audience":"user"})", "annotations.audience is not an array"},
      {R"("annotations":{"audience":["robot"]})", "annotations.audience[0] is not \"user\" or \"assistant\""},
      {R"("annotations":{"priority":2})", "annotations.priority is not a number from 0 to 1"},
      {R"("annotations":{"priority":-0.5})", "annotations.priority is not a number from 0 to 1"},
      {R"("annotations":{"priority":"1"})", "annotations.priority is not a number from 0 to 1"},
  };
  check(Kind::resources, R"("name":"n","uri":"a:b")", both);
  check(Kind::templates, R"("name":"n","uriTemplate":"a:{b}")", both);
  const Row resources[] = {{R"("uri":"a:b","size":7)", ""}, {R"("uri":"a:b","size":"7")", "size is not a number"},
                           {R"("size":7)", "uri is missing"}, {R"("uri":7)", "uri is not text"}};
  check(Kind::resources, R"("name":"n")", resources);
  const Row templates[] = {{R"("uri":"a:b")", "uriTemplate is missing"}, {R"("uriTemplate":{})", "uriTemplate is not text"}};
  check(Kind::templates, R"("name":"n")", templates);
}

TEST_CASE("entry rules: a description has a limit (GW-69)") {
  const auto flaw = [](size_t bytes) {
    return flaw_of_text(Kind::prompts, R"({"name":"n","description":")" + std::string(bytes - 2, 'x') + "\"}");
  };
  CHECK(flaw(64 * 1024) == "");
  CHECK(flaw(64 * 1024 + 1) == "description is longer than 65536 bytes");
}

TEST_CASE("entry rules: times") {
  const auto flaw = [](const std::string& time) {
    return flaw_of_text(Kind::resources, R"({"name":"n","uri":"a:b","annotations":{"lastModified":")" + time + R"("}})");
  };
  for (const char* good : {"2025-12-31T23:59:59Z", "2025-01-01T00:00Z", "2025-01-01T00:00:00.123456789+14:00"}) CHECK(flaw(good) == "");
  for (const char* bad : {"", "2025-01-01", "2025-01-01T00:00:00", "2025-02-29T00:00:00Z", "2025-13-01T00:00:00Z", "2025-00-01T00:00:00Z",
                          "2025-01-01T24:00:00Z", "2025-01-01T00:60:00Z", "2025-01-01T00:00:60Z", "2025-01-01T00:00:00.Z",
                          "2025-01-01T00:00:00Zx",
                          "2025-01-01T00:00:00+1400", "2025-01-01T00:00:00+24:00", "2025-01-01 00:00:00Z", "25-01-01T00:00:00Z"}) {
    CAPTURE(bad);
    CHECK(flaw(bad) == "annotations.lastModified is not a time of ISO 8601");
  }
}
