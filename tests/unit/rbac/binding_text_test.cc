#include <doctest/doctest.h>

#include "base/limits.h"
#include "rbac/vocabulary.h"

using namespace mcptoken;
using namespace mcptoken::rbac;

namespace {

std::string canonical(std::string_view text) {
  auto binding = parse_binding(text);
  return binding ? to_text(*binding) : binding.error().message;
}

struct Row {
  std::string text;
  std::string expected;  // a canonical text, or the beginning of a message
};

}  // namespace

TEST_CASE("bindings that are accepted") {
  for (const Row& row : {
           Row{"role:view,resource:servers", "role:view,resource:servers"},
           {"resource:srv,role:edit,name:my-ha", "role:edit,resource:servers,name:my-ha"},
           {"name:a,resource:server,role:run", "role:run,resource:servers,name:a"},
           {"role : view , resource:  servers", "role:view,resource:servers"},
           {"role:view,resource:*", "role:view,resource:*"},
           {"role:create,resource:token,name:demo/ci", "role:create,resource:mcptokens,name:demo/ci"},
           {"role:view,resource:prompt,name:demo/*", "role:view,resource:prompts,name:demo/*"},
           {"role:run,resource:tools,name:grafana/query_*", "role:run,resource:tools,name:grafana/query_*"},
           {"role:run,resource:tools,name:grafana/*", "role:run,resource:tools,name:grafana/*"},
           {"role:run,resource:tools,name:k8s/ns:pods/Get.v1", "role:run,resource:tools,name:k8s/ns:pods/Get.v1"},
           {"role:view,resource:audit,name:demo", "role:view,resource:audit,name:demo"},
           {"role:edit,resource:users,name:Ann.B+x@example.com", "role:edit,resource:users,name:Ann.B+x@example.com"},
           {"action:logs", "action:logs"},
           {"action : set-own-password", "action:set-own-password"},
       }) {
    CAPTURE(row.text);
    CHECK(canonical(row.text) == row.expected);
    CHECK(canonical(row.expected) == row.expected);
  }
  auto operation = parse_binding("action:logs");
  REQUIRE(operation);
  CHECK(operation->role == Role::run);
  CHECK(operation->operation == Operation::logs);
}

TEST_CASE("CE-08 CE-30 CE-40 refused with the position") {
  for (const Row& row : {
           Row{"", "column 1: expected key:value"},
           {"role=edit", "column 1: expected key:value"},
           {"role:view,resource:servers,", "column 28: expected key:value"},
           {"role:view,,resource:servers", "column 11: expected key:value"},
           {",role:view", "column 1: expected key:value"},
           {"role:view,role:view,resource:servers", "column 11: role is given twice"},
           {"role:view,resource:servers,resource:tools", "column 28: resource is given twice"},
           {"role:,resource:servers", "column 6: the value of role is empty"},
           {"role: ,resource:servers", "column 7: the value of role is empty"},
           {"role:view,resource:servers,name:", "column 33: the value of name is empty"},
           {"action:", "column 8: the value of action is empty"},
           {"role:view,kind:servers", "column 11: unknown key 'kind'"},
           {":view", "column 1: unknown key ''"},
           {"Role:edit,resource:servers", "column 1: unknown key 'Role'"},
           {"role:Edit,resource:servers", "column 6: unknown role 'Edit'"},
           {"role:view, resource:Servers", "column 21: unknown resource 'Servers'"},
           {"resource:servers", "column 17: role is missing"},
           {"name:x", "column 7: role is missing"},
           {"role:view", "column 10: resource is missing"},
           {"action:logs,role:run", "column 13: action cannot be combined with role"},
           {"role:run,action:logs", "column 10: action cannot be combined with role"},
           {"action:logs,resource:servers", "column 13: action cannot be combined with resource"},
           {"action:logs,name:x", "column 13: action cannot be combined with name"},
           {"action:fly", "column 8: unknown action 'fly'"},
           {"action:logs,action:backup", "column 13: action is given twice"},
           {"role:view,resource:servers,name:*", "column 33: the name '*' does not fit"},
           {"role:view,resource:*,name:a", "column 27: the name 'a' does not fit"},
           {"role:view\t,resource:servers", "column 6: unknown role 'view\\x09'"},
           {" role:view,resource:servers", "column 1: unknown key ' role'"},
           {"role:view,resource:servers ", "column 20: unknown resource 'servers '"},
           {"role:view\n,resource:servers", "column 6: unknown role 'view\\x0a'"},
           {"role:vi\xc3\xa9w,resource:servers", "column 6: unknown role 'vi\\xc3\\xa9w'"},
           {std::string("role:view\0,resource:servers", 27), "column 6: unknown role 'view\\x00'"},
           {std::string(2000, 'a') + ":b", "column 1025: a binding has at most 1024 bytes"},
       }) {
    CAPTURE(row.text);
    auto binding = parse_binding(row.text);
    REQUIRE_FALSE(binding);
    CHECK(binding.error().status == Status::invalid);
    CHECK(binding.error().message == row.expected);
    CHECK_FALSE(binding.error().hint.empty());
  }
}

TEST_CASE("CE-40 a text of exactly the limit is read, a megabyte is refused at once") {
  std::string text = "role:view,resource:servers";
  std::string padded = "role:view," + std::string(limits::kBindingTextBytes - text.size(), ' ') + "resource:servers";
  CHECK(padded.size() == limits::kBindingTextBytes);
  CHECK(canonical(padded) == text);
  CHECK_FALSE(parse_binding("role:view, " + padded.substr(10)));
  CHECK_FALSE(parse_binding(std::string(1 << 20, ',')));
}

TEST_CASE("CE-36 CE-39 names that no resource accepts") {
  std::string long_name(64, 'a');
  for (std::string name : {std::string(" "),
                           std::string("*"),
                           std::string("a*"),
                           std::string("A"),
                           std::string("a b"),
                           std::string("-a"),
                           std::string("a-"),
                           std::string(".."),
                           std::string("a%2fb"),
                           std::string("a\nb"),
                           std::string("\x1b[31m"),
                           std::string("\xe2\x80\xae"),
                           std::string("v\xe2\x85\xbc") + "lm",
                           std::string("a\0b", 3),
                           long_name,
                           long_name + "/a",
                           std::string("/"),
                           std::string("/a"),
                           std::string("a/"),
                           std::string("a/ b"),
                           std::string("*/a"),
                           std::string("a/*b"),
                           std::string("a/b,c"),
                           std::string("a/**"),
                           "a/" + std::string(200, 'b'),
                           "a/" + std::string("b\0", 2)}) {
    CAPTURE(name);
    for (int i = 0; i <= static_cast<int>(Resource::audit); ++i)
      CHECK_FALSE(check_scope(static_cast<Resource>(i), name));
  }
}

TEST_CASE("the shape of a scope depends on the resource") {
  struct Shape {
    std::string name;
    std::vector<Resource> accepted_by;
  };
  const std::vector<Resource> plain = {
      Resource::servers, Resource::instances, Resource::secrets, Resource::projects,    Resource::templates,
      Resource::users,   Resource::groups,    Resource::rbac,    Resource::proxymodels, Resource::audit};
  const std::vector<Resource> owned = {Resource::prompts, Resource::promptrequests, Resource::mcptokens,
                                       Resource::tools};
  for (const Shape& shape : {Shape{"demo", plain},
                             {std::string(63, 'a'), plain},
                             {"demo/x", owned},
                             {"demo/*", owned},
                             {"demo/x*", {Resource::tools}},
                             {"demo/X_y", {Resource::tools}},
                             {"demo/a/b", {Resource::tools}},
                             {"a@example.com", {Resource::users}},
                             {"", {}}}) {
    for (int i = 0; i <= static_cast<int>(Resource::audit); ++i) {
      auto resource = static_cast<Resource>(i);
      bool accepted = shape.name.empty();
      for (Resource one : shape.accepted_by)
        accepted = accepted || one == resource;
      CAPTURE(shape.name);
      CAPTURE(to_text(resource));
      CHECK(check_scope(resource, shape.name).has_value() == accepted);
    }
  }
}

TEST_CASE("CE-69 e-mail addresses") {
  for (std::string_view good : {"a@b", "Ann.B+tag@example.com", "o'brien@x-y.example", "a_b-c@1.2"})
    CHECK(is_email(good));
  for (std::string_view bad :
       {"",     "@",     "a@",    "@b",         "a",          "a@B.com", "a@b.",  "a@.b",  "a@b..c",
        "a@-b", ".a@b",  "a.@b",  "a..b@c",     "a b@c",      "a@b c",   "a@b@c", "a,b@c", "a/b@c",
        "a*@c", "a:b@c", "a%b@c", "\xc3\xa9@b", "a@\xc3\xa9", "\"a\"@b", "a@b\n"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_email(bad));
  }
  CHECK(is_email(std::string(64, 'a') + "@b"));
  CHECK_FALSE(is_email(std::string(65, 'a') + "@b"));
  std::string label = std::string(62, 'b') + ".";
  CHECK_FALSE(is_email("a@" + label + label + label + label + "com"));
}

TEST_CASE("CE-10 lists of bindings: capped, repeated ones once, the culprit named") {
  std::vector<std::string> texts(limits::kBindingsPerToken, "role:view,resource:servers");
  texts[5] = "action:logs";
  auto bindings = parse_bindings(texts);
  REQUIRE(bindings);
  REQUIRE(bindings->size() == 2);
  CHECK(to_text((*bindings)[1]) == "action:logs");
  texts.push_back("action:logs");
  CHECK(parse_bindings(texts).error().status == Status::limit);
  CHECK(parse_bindings(std::vector<std::string>(10'000, texts[0])).error().status == Status::limit);
  texts = {"action:logs", "role:view"};
  CHECK(parse_bindings(texts).error().message == "binding 2: column 10: resource is missing");
  CHECK(parse_bindings({})->empty());
}
