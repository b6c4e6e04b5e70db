#include "mcp/param_header.h"

#include <doctest/doctest.h>

using namespace mcptoken;
using namespace mcptoken::mcp;

namespace {

json::Value value(std::string_view text) { return std::move(json::parse(text)).value(); }

// "Name: value" of each header, joined by |.
std::string headers(std::string_view schema, std::string_view arguments) {
  auto marks = ParamHeaders::read(value(schema));
  REQUIRE(marks);
  std::string out;
  for (auto& header : marks->of(value(arguments)))
    out += (out.empty() ? "" : "|") + header.name + ": " + header.value;
  return out;
}

std::string refusal(std::string_view schema) {
  auto marks = ParamHeaders::read(value(schema));
  REQUIRE_FALSE(marks);
  CHECK(marks.error().status == Status::invalid);
  return marks.error().message;
}

constexpr std::string_view kSchema = R"({"type":"object","properties":{
  "region":{"type":"string","x-mcp-header":"Region"},
  "count":{"type":"integer","x-mcp-header":"Count"},
  "dry":{"type":"boolean","x-mcp-header":"Dry-Run"},
  "deep":{"type":"object","properties":{"zone":{"type":"string","x-mcp-header":"Zone"}}},
  "plain":{"type":"string"}}})";

}  // namespace

TEST_CASE("param header: marked arguments, in the order of the schema") {
  CHECK(headers(kSchema, R"({"plain":"x","dry":true,"count":-7,"region":"eu west","deep":{"zone":"b"}})") ==
        "Mcp-Param-Region: eu west|Mcp-Param-Count: -7|Mcp-Param-Dry-Run: true|Mcp-Param-Zone: b");
  CHECK(headers(kSchema, R"({"region":" padded ","dry":false})") ==
        "Mcp-Param-Region: =?base64?IHBhZGRlZCA=?=|Mcp-Param-Dry-Run: false");
  CHECK(headers(kSchema, R"({"region":"a\r\nb"})") == "Mcp-Param-Region: =?base64?YQ0KYg==?=");
}

TEST_CASE("param header: absent, null and arguments of another type have none") {
  CHECK(headers(kSchema, "{}").empty());
  CHECK(headers(kSchema, R"({"region":null,"count":"7","dry":1,"deep":[{"zone":"b"}]})").empty());
  CHECK(headers(R"({"properties":{}})", R"({"region":"x"})").empty());
}

TEST_CASE("param header: integers are decimal, however large") {
  CHECK(headers(kSchema, R"({"count":123456789012345678901234567890})") ==
        "Mcp-Param-Count: 123456789012345678901234567890");
  CHECK(headers(kSchema, R"({"count":42.0})") == "Mcp-Param-Count: 42");
  struct Spelling {
    std::string number, digits;
  };
  const Spelling spellings[] = {{"0", "0"},
                                {"-0", "0"},
                                {"-0.0e5", "0"},
                                {"0e9999", "0"},
                                {"1e2", "100"},
                                {"-1E+2", "-100"},
                                {"1.50e1", "15"},
                                {"100e-2", "1"},
                                {"0.00100e3", "1"},
                                {"1e31", "1" + std::string(31, '0')},
                                {"-9007199254740993", "-9007199254740993"},
                                {"1.5", ""},
                                {"15e-1", ""},
                                {"1e-2", ""},
                                {"1e32", ""},
                                {"1e9999", ""},
                                {"1e-9999", ""}};
  for (auto& one : spellings) {
    CAPTURE(one.number);
    CHECK(headers(kSchema, R"({"count":)" + one.number + "}") == (one.digits.empty() ? "" : "Mcp-Param-Count: " + one.digits));
  }
  CHECK(headers(kSchema, R"({"count":42.5})").empty());
}

TEST_CASE("param header: a mark that breaks the rules, and why") {
  auto property = [](std::string_view schema) { return R"({"properties":{"x":)" + std::string(schema) + "}}"; };
  CHECK(refusal(property(R"({"type":"string","x-mcp-header":""})")) == "x-mcp-header must be a header name");
  CHECK(refusal(property(R"({"type":"string","x-mcp-header":"a b"})")) == "x-mcp-header must be a header name");
  CHECK(refusal(property(R"({"type":"string","x-mcp-header":"é"})")) == "x-mcp-header must be a header name");
  CHECK(refusal(property(R"({"type":"string","x-mcp-header":7})")) == "x-mcp-header must be a header name");
  for (std::string_view type : {R"("number")", R"("object")", R"("array")", R"("null")", R"(["string","null"])"}) {
    CHECK(refusal(property(R"({"x-mcp-header":"X","type":)" + std::string(type) + "}")) ==
          "x-mcp-header \"X\" must be on a string, an integer or a boolean");
  }
  CHECK(refusal(property(R"({"x-mcp-header":"X"})")) ==
        "x-mcp-header \"X\" must be on a string, an integer or a boolean");
  CHECK(
      refusal(
          R"({"properties":{"a":{"type":"string","x-mcp-header":"My"},"b":{"type":"string","x-mcp-header":"mY"}}})") ==
      "x-mcp-header \"mY\" is used twice");
  CHECK(refusal(R"({"type":"string","x-mcp-header":"X"})") == "x-mcp-header \"X\" is on no plain property");
}

TEST_CASE("param header: only properties reach a mark; data is no schema") {
  const std::string mark = R"({"properties":{"y":{"type":"string","x-mcp-header":"X"}}})";
  for (std::string_view keyword :
       {"items", "not", "if", "then", "else", "contains", "additionalProperties", "propertyNames"}) {
    CHECK(refusal(R"({"properties":{"x":{")" + std::string(keyword) + "\":" + mark + "}}}") ==
          "x-mcp-header \"X\" is on no plain property");
  }
  for (std::string_view keyword : {"items", "allOf", "anyOf", "oneOf", "prefixItems"}) {
    CHECK(refusal("{\"" + std::string(keyword) + "\":[" + mark + "]}") == "x-mcp-header \"X\" is on no plain property");
  }
  for (std::string_view keyword : {"$defs", "definitions", "patternProperties", "dependentSchemas"}) {
    CHECK(refusal("{\"" + std::string(keyword) + "\":{\"n\":" + mark + "}}") ==
          "x-mcp-header \"X\" is on no plain property");
  }
  for (std::string_view keyword : {"default", "const", "examples", "enum"}) {
    CHECK(headers(R"({"properties":{"x":{")" + std::string(keyword) + "\":" + mark + "}}}", R"({"x":{"y":"z"}})")
              .empty());
  }
  CHECK(headers(R"({"properties":{"x-mcp-header":{"type":"string"}}})", R"({"x-mcp-header":"z"})").empty());
}
