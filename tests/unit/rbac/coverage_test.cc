#include "rbac/coverage.h"

#include <doctest/doctest.h>

#include <map>
#include <sstream>

using namespace mcptoken;
using namespace mcptoken::rbac;

namespace {

Binding binding(std::string_view text) {
  auto parsed = parse_binding(text);
  REQUIRE_MESSAGE(parsed, text);
  return *parsed;
}

// "view servers a" or "logs"; several separated by ';'.
std::vector<Binding> bindings(const std::string& text) {
  std::vector<Binding> all;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ';');) {
    std::istringstream words(part);
    std::string role, resource, name;
    words >> role >> resource >> name;
    if (resource.empty())
      all.push_back(binding("action:" + role));
    else
      all.push_back(binding("role:" + role + ",resource:" + resource + (name.empty() ? "" : ",name:" + name)));
  }
  return all;
}

std::string texts(const std::vector<Binding>& all) {
  std::string out;
  for (const Binding& one : all)
    out += (out.empty() ? "" : "; ") + to_text(one);
  return out;
}

struct Row {
  std::string id, held, wanted;
  bool covered;
};

}  // namespace

TEST_CASE("the ceiling: each requested permission is covered at the same scope") {
  for (const Row& row : {
           Row{"CE-01", "view servers", "edit servers", false},
           {"CE-02", "edit servers a", "edit servers", false},
           {"CE-03", "edit servers a", "edit servers b", false},
           {"CE-03", "edit servers a", "edit servers ab", false},
           {"CE-03", "edit servers ab", "edit servers a", false},
           {"CE-04", "edit servers a;edit servers b", "edit servers", false},
           {"CE-05",
            "edit servers;edit instances;edit secrets;edit projects;edit templates;edit users;edit groups;edit "
            "rbac;edit prompts;"
            "edit promptrequests;edit mcptokens;edit proxymodels;edit tools;edit audit",
            "edit *", false},
           {"CE-05", "edit *", "edit *", true},
           {"CE-06", "view *", "edit servers", false},
           {"CE-06", "view *", "view servers a", true},
           {"CE-07", "view servers;create servers", "edit servers", false},
           {"CE-07", "view servers;create servers;delete servers;expose servers", "edit servers", false},
           {"CE-07", "edit servers", "view servers;create servers;delete servers;expose servers", true},
           {"CE-07", "view servers", "expose servers", false},
           {"CE-07", "expose servers", "view servers", true},
           {"CE-09", "edit servers", "view servers;view secrets", false},
           {"CE-18", "view servers;view projects", "edit *", false},
           {"CE-29", "edit *;run *", "logs", false},
           {"CE-29", "logs", "logs", true},
           {"CE-29", "logs", "backup", false},
           {"CE-72", "run *", "backup", false},
           {"CE-72", "backup;restore;impersonate;escalate;logs;audit-export;audit-purge;set-own-password",
            "run servers", false},
           {"CE-72", "edit *", "run servers", false},
           {"CE-72", "edit servers", "run servers a", false},
           {"names", "edit servers a", "view servers a", true},
           {"owned", "create mcptokens demo/*", "create mcptokens demo/ci", true},
           {"owned", "create mcptokens demo/*", "create mcptokens demo/*", true},
           {"owned", "create mcptokens demo/ci", "create mcptokens demo/*", false},
           {"owned", "create mcptokens demo/*", "create mcptokens demo2/ci", false},
           {"owned", "create mcptokens demo/*", "create mcptokens", false},
           {"tools", "run tools s/query_*", "run tools s/query_a", true},
           {"tools", "run tools s/query_*", "run tools s/query_ab*", true},
           {"tools", "run tools s/query_*", "run tools s/query_", true},
           {"tools", "run tools s/query_*", "run tools s/query*", false},
           {"tools", "run tools s/query_*", "run tools s/*", false},
           {"tools", "run tools s/query_*", "run tools t/query_a", false},
           {"tools", "run tools s/a", "run tools s/a*", false},
           {"tools", "run tools s/a", "run tools s/ab", false},
           {"tools", "run tools s/*;run tools t/*", "run tools", false},
           {"implied", "view servers s", "run tools s/*", true},
           {"implied", "view servers s", "run tools s/x", true},
           {"implied", "view servers s", "run tools t/x", false},
           {"implied", "view servers s", "run tools", false},
           {"implied", "view servers", "run tools", true},
           {"implied", "edit servers s", "run tools s/x", true},
           {"implied", "view *", "run tools", true},
           {"implied", "view *", "run *", false},
           {"implied", "create servers s", "run tools s/x", false},
           {"implied", "run servers s", "run tools s/x", false},
           {"implied", "view tools s/x", "run tools s/x", false},
           {"implied", "run tools s/*", "view servers s", false},
           {"empty", "", "view servers", false},
           {"empty", "view servers", "", true},
       }) {
    CAPTURE(row.id);
    CAPTURE(row.held);
    CAPTURE(row.wanted);
    auto held = bindings(row.held), wanted = bindings(row.wanted);
    CHECK((first_uncovered(held, wanted, ToolGrant::view) == nullptr) == row.covered);
  }
}

TEST_CASE("with the run right obligatory, viewing a server covers none of its tools") {
  auto held = bindings("view servers s;view *"), wanted = bindings("run tools s/x");
  CHECK(first_uncovered(held, wanted, ToolGrant::view) == nullptr);
  CHECK(first_uncovered(held, wanted, ToolGrant::run) == &wanted[0]);
}

TEST_CASE("CE-09 the first missing permission is named, also behind 200 good ones") {
  auto held = bindings("view servers");
  std::vector<Binding> wanted(200, binding("role:view,resource:servers,name:a"));
  wanted[137] = binding("role:view,resource:secrets");
  wanted[150] = binding("action:logs");
  CHECK(first_uncovered(held, wanted, ToolGrant::view) == &wanted[137]);
}

TEST_CASE("a binding whose name no text could have covers nothing") {
  Binding odd;
  odd.name = "x";  // view *, with a name
  CHECK(first_uncovered({odd}, bindings("view servers x"), ToolGrant::view) != nullptr);
  CHECK(first_uncovered({odd}, {odd}, ToolGrant::view) != nullptr);
  odd.resource = Resource::tools;  // no slash
  odd.role = Role::run;
  CHECK(first_uncovered({odd}, bindings("run tools x/y"), ToolGrant::view) != nullptr);
  CHECK_FALSE(meet(odd, odd, ToolGrant::view));
}

TEST_CASE("meets") {
  struct Meet {
    std::string a, b, both;
    std::string with_run = "same";
  };
  for (const Meet& row : {
           Meet{"edit servers", "view servers a", "role:view,resource:servers,name:a"},
           {"edit *", "expose servers", "role:expose,resource:servers"},
           {"edit *", "edit *", "role:edit,resource:*"},
           {"expose servers", "view *", "role:view,resource:servers"},
           {"view servers a", "view servers b", ""},
           {"create servers", "view servers", ""},
           {"view servers", "view secrets", ""},
           {"run tools s/a*", "run tools s/ab*", "role:run,resource:tools,name:s/ab*"},
           {"run tools s/a*", "run tools s/b*", ""},
           {"run tools s/a*", "run tools s/ab", "role:run,resource:tools,name:s/ab"},
           {"run *", "run tools s/ab", "role:run,resource:tools,name:s/ab"},
           {"run tools s/ab", "view servers s", "role:run,resource:tools,name:s/ab", ""},
           {"run tools", "edit servers s", "role:run,resource:tools,name:s/*", ""},
           {"run *", "view servers s", "role:run,resource:tools,name:s/*", ""},
           {"run tools t/ab", "view servers s", "", ""},
           {"run tools s/ab", "view *", "role:run,resource:tools,name:s/ab", ""},
           {"view prompts p/*", "view prompts p/x", "role:view,resource:prompts,name:p/x"},
           {"view prompts p/*", "view prompts q/x", ""},
           {"logs", "logs", "action:logs"},
           {"logs", "backup", ""},
           {"logs", "run *", ""},
       }) {
    for (ToolGrant grant : {ToolGrant::view, ToolGrant::run}) {
      std::string expected = grant == ToolGrant::run && row.with_run != "same" ? row.with_run : row.both;
      Binding a = bindings(row.a)[0], b = bindings(row.b)[0];
      CAPTURE(row.a);
      CAPTURE(row.b);
      auto there = meet(a, b, grant), back = meet(b, a, grant);
      CHECK((there ? to_text(*there) : "") == expected);
      CHECK((back ? to_text(*back) : "") == expected);
    }
  }
}

TEST_CASE("reduced: sorted, once, without what another covers; independent of order") {
  auto all = bindings(
      "view servers a;logs;edit servers;view servers a;run tools s/a*;run tools s/ab;view servers;logs;view prompts");
  std::string expected =
      "role:edit,resource:servers; role:view,resource:prompts; role:run,resource:tools,name:s/a*; action:logs";
  CHECK(texts(reduced(all)) == expected);
  CHECK(texts(reduced({all.rbegin(), all.rend()})) == expected);
  // Implications do not count: under the other setting the tools would be lost.
  CHECK(reduced(bindings("view servers s;run tools s/x")).size() == 2);
  CHECK(reduced({}).empty());
}

TEST_CASE("queries as text") {
  Query query;
  query.action = Action::edit;
  query.resource = Resource::servers;
  CHECK(to_text(query) == "edit:servers");
  query.name = "my-ha";
  CHECK(to_text(query) == "edit:servers:my-ha");
  query.operation = Operation::logs;
  CHECK(to_text(query) == "run:logs");
}
