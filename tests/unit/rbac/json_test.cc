#include "rbac/json.h"

#include <doctest/doctest.h>

using namespace mcptoken;
using namespace mcptoken::rbac;

namespace {

json::Value value(std::string_view text) {
  auto parsed = json::parse(text);
  REQUIRE_MESSAGE(parsed, text);
  return *parsed;
}

struct Row {
  std::string text, expected;  // canonical text, or the message
};

}  // namespace

TEST_CASE("the stored shape reads and writes; aliases become canonical") {
  for (const Row& row : {
           Row{R"({"role":"view","resource":"servers"})", "role:view,resource:servers"},
           {R"({"role":"edit","resource":"srv","name":"my-ha"})", "role:edit,resource:servers,name:my-ha"},
           {R"({"name":"demo/*","resource":"tokens","role":"create"})", "role:create,resource:mcptokens,name:demo/*"},
           {R"({"role":"run","resource":"*"})", "role:run,resource:*"},
           {R"({"role":"run","action":"audit-export"})", "action:audit-export"},
       }) {
    CAPTURE(row.text);
    auto binding = binding_from_json(value(row.text));
    REQUIRE(binding);
    CHECK(to_text(*binding) == row.expected);
    CHECK(binding_from_json(to_json(*binding)) == *binding);
    CHECK(*parse_binding(row.expected) == *binding);
  }
  CHECK(json::to_text(to_json(*parse_binding("action:logs"))) == R"({"role":"run","action":"logs"})");
  CHECK(json::to_text(to_json(*parse_binding("name:a,resource:sec,role:run"))) ==
        R"({"role":"run","resource":"secrets","name":"a"})");
}

TEST_CASE("CE-04 CE-08 CE-16 CE-30 shapes that are refused") {
  for (const Row& row : {
           Row{"[]", "expected an object"},
           {"null", "expected an object"},
           {"{}", "role is missing"},
           {R"({"role":"view"})", "resource is missing"},
           {R"({"resource":"servers"})", "role is missing"},
           {R"({"action":"logs"})", "role is missing"},
           {R"({"role":"","resource":"servers"})", "role is empty"},
           {R"({"role":"view","resource":"servers","name":""})", "name is empty"},
           {R"({"role":"view","resource":"servers","name":null})", "name must be a string"},
           {R"({"role":"view","resource":"servers","name":["a"]})", "name must be a string"},
           {R"({"role":"view","resource":"servers","name":"*"})", "name: the name '*' does not fit"},
           {R"({"role":"View","resource":"servers"})", "role is not a known word"},
           {R"({"role":"view","resource":"Servers"})", "resource is not a known word"},
           {R"({"role":"run","action":"fly"})", "action is not a known word"},
           {R"({"role":"view","action":"logs"})", "role must be run beside an action"},
           {R"({"role":"run","action":"logs","resource":"servers"})",
            "action cannot be combined with resource or name"},
           {R"({"role":"run","action":"logs","name":"a"})", "action cannot be combined with resource or name"},
           {R"({"role":"view","resource":"servers","systemOwned":true})", "unknown member systemOwned"},
           {R"({"role":"view","resource":"servers","\u001b[31m":"x"})", "unknown member"},
       }) {
    CAPTURE(row.text);
    auto binding = binding_from_json(value(row.text));
    REQUIRE_FALSE(binding);
    CHECK(binding.error().status == Status::invalid);
    CHECK(binding.error().message == row.expected);
  }
}

TEST_CASE("CE-37 CE-38 subjects: a kind and a name that fits it") {
  std::string sha(64, 'a');
  for (const Row& row : {Row{"User", "Ann@example.com"},
                         {"User", "0123456789abcdefghij"},
                         {"Group", "team"},
                         {"ServiceAccount", "project:demo"},
                         {"McpToken", sha}}) {
    json::Value shape = json::Value::object();
    shape.set("kind", json::Value::string(row.text));
    shape.set("name", json::Value::string(row.expected));
    auto subject = subject_from_json(shape);
    REQUIRE(subject);
    CHECK(to_text(subject->kind) == row.text);
    CHECK(subject->id == row.expected);
    CHECK(to_json(*subject) == shape);
  }
  for (std::string_view text :
       {R"({})", R"({"kind":"User"})", R"({"name":"a@b"})", R"({"kind":"user","name":"a@b"})",
        R"({"kind":"User","name":""})", R"({"kind":"User","name":"McpToken:x"})", R"({"kind":"User","name":"a@B"})",
        R"({"kind":"Group","name":"a@b"})", R"({"kind":"ServiceAccount","name":"demo"})",
        R"({"kind":"ServiceAccount","name":"project:"})", R"({"kind":"McpToken","name":"aa"})",
        R"({"kind":"Group","name":"a","id":"x"})", R"({"kind":7,"name":"a"})",
        R"({"kind":"McpToken","name":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"})"}) {
    CAPTURE(text);
    CHECK_FALSE(subject_from_json(value(text)));
  }
}
