#include "complete.h"

#include <algorithm>

#include "fixture.h"
#include "man.h"

namespace mcpctl {
namespace {

using Words = std::vector<std::string>;

// What is offered, with the names that a server would know.
Candidates offered(const Words& words) {
  const Names names = [](const NameQuestion& question) -> Words {
    if (question.kind == nullptr) return {"home", "work"};
    if (question.kind->name == "server") return {"files", "fetch", "grafana"};
    if (question.kind->name == "project") return {"demo"};
    if (question.kind->name == "mcptoken") {
      const std::string name = "of-" + question.line.text("project");
      return {name, name};  // a token and the one that it replaced
    }
    return {};
  };
  return complete(fixture_table(), fixture_kinds(), words, names);
}

Words texts(const Words& words) {
  Words found;
  for (const Candidate& one : offered(words).items)
    found.push_back(one.text);
  return found;
}

bool has(const Words& words, const std::string& text) {
  const Words found = texts(words);
  return std::find(found.begin(), found.end(), text) != found.end();
}

}  // namespace

TEST_CASE("commands, one word after the other") {
  CHECK(texts({"cre"}) == Words{"create"});
  CHECK(has({""}, "get"));
  CHECK_FALSE(has({""}, "__complete"));
  CHECK(texts({"create", "ser"}) == Words{"server"});
  CHECK(has({"auth", ""}, "whoami"));
  CHECK(texts({"frobnicate", ""}).empty());
  CHECK_FALSE(offered({"cre"}).items[0].help.empty());
}

TEST_CASE("flags: the command's own and the common ones, each once") {
  CHECK(texts({"create", "server", "x", "--tr"}) == Words{"--transport"});
  CHECK(texts({"create", "srv", "x", "--tr"}) == Words{"--transport"});
  CHECK(has({"get", "servers", "-"}, "--output"));
  CHECK_FALSE(has({"get", "servers", "-o", "json", "--"}, "--output"));
  CHECK_FALSE(has({"get", "servers", "-ojson", "--"}, "--output"));
  CHECK(has({"create", "server", "x", "--env", "A=1", "--"}, "--env"));  // repeatable
  CHECK_FALSE(has({"create", "rbac", "x", "--"}, "--binding"));          // gone
  CHECK_FALSE(has({"login", "--"}, "--transport"));
}

TEST_CASE("values: enums, booleans, files, names") {
  CHECK(texts({"create", "server", "x", "--transport", "S"}) == Words{"STDIO", "STREAMABLE_HTTP"});
  CHECK(texts({"create", "server", "x", "--transport=STD"}) == Words{"--transport=STDIO"});
  CHECK(has({"get", "servers", "-o", ""}, "yaml"));
  CHECK(texts({"get", "servers", "--no-headers="}) == Words{"--no-headers=true", "--no-headers=false"});
  CHECK(offered({"test", "mcp", "http://x", "--token-file", ""}).files);
  CHECK(offered({"restore", ""}).files);
  CHECK(offered({"create", "server", "x", "--", "np"}).files);
  CHECK(texts({"--context", ""}) == Words{"home", "work"});
  CHECK(texts({"get", "mcptokens", "-p", ""}) == Words{"demo"});
  CHECK(texts({"create", "project", "x", "--server", "f"}) == Words{"files", "fetch"});
}

TEST_CASE("nouns and names") {
  CHECK(texts({"get", "se"}) == Words{"servers", "secrets"});
  CHECK_FALSE(has({"delete", ""}, "instances"));
  CHECK(texts({"get", "servers", "f"}) == Words{"files", "fetch"});
  CHECK(texts({"get", "srv", "files", "f"}) == Words{"fetch"});  // given already
  CHECK(texts({"get", "server/f"}) == Words{"server/files", "server/fetch"});
  CHECK(texts({"get", "gizmo/f"}).empty());
  CHECK(texts({"create", "server", ""}).empty());  // a new name is nobody's to know
  CHECK(texts({"rotate", "mcptoken", "-p", "demo", ""}) == Words{"of-demo"});
  CHECK(texts({"-p", "other", "delete", "token", ""}) == Words{"of-other"});
  CHECK(texts({"logs", "g"}) == Words{"grafana"});
  CHECK(texts({"logout", ""}).empty());
}

TEST_CASE("kinds with their fields, changes, and what a list is sorted by") {
  CHECK(has({"explain", "s"}, "server"));
  CHECK(texts({"explain", "server.tr"}) == Words{"server.transport"});
  CHECK(texts({"explain", "gizmo."}).empty());
  CHECK(texts({"patch", "server", "f"}) == Words{"files", "fetch"});
  CHECK(texts({"patch", "server", "files", "re"}) == Words{"replicas="});
  CHECK(offered({"patch", "server", "files", "re"}).no_space);
  CHECK_FALSE(has({"patch", "server", "files", ""}, "state="));  // nobody sets it
  CHECK(texts({"patch", "server/files", "transport=ST"}) == Words{"transport=STDIO", "transport=STREAMABLE_HTTP"});
  CHECK(texts({"patch", "server", "files", "pin=t"}) == Words{"pin=true"});
  CHECK(has({"get", "servers", "--sort-by", ""}, "state"));
  CHECK(texts({"get", "mcptokens", "--status", "e"}) == Words{"expired"});
  CHECK(has({"get", ""}, "all"));
  CHECK_FALSE(has({"describe", ""}, "all"));
  CHECK(texts({"help", "crea"}) == Words{"create"});
  CHECK(texts({"help", "ex"}) == Words{"exit-codes", "explain"});
  CHECK(texts({"help", "auth", "w"}) == Words{"whoami"});
  CHECK(texts({"get", "servers", "-o", "jso"}) == Words{"json", "jsonpath="});
  CHECK(texts({"api", "P"}) == Words{"POST", "PUT", "PATCH"});
}

TEST_CASE("rights: bindings, subjects and questions about them") {
  CHECK(texts({"create", "mcptoken", "x", "--bind", ""}) == Words{"role:", "resource:", "name:", "action:"});
  CHECK(offered({"create", "mcptoken", "x", "--bind", ""}).no_space);
  CHECK(texts({"create", "mcptoken", "x", "--bind", "role:v"}) == Words{"role:view"});
  CHECK(texts({"create", "mcptoken", "x", "--bind=role:view,res"}) == Words{"--bind=role:view,resource:"});
  CHECK(texts({"create", "mcptoken", "x", "--bind", "role:view,resource:ser"}) == Words{"role:view,resource:servers"});
  CHECK(texts({"create", "rbac", "x", "--roleBindings", "role:view,resource:servers,name:f"}) ==
        Words{"role:view,resource:servers,name:files", "role:view,resource:servers,name:fetch"});
  CHECK(texts({"create", "rbac", "x", "--roleBindings", "action:lo"}) == Words{"action:logs"});
  CHECK(texts({"create", "rbac", "x", "--subject", "U"}) == Words{"User:"});
  CHECK(texts({"create", "rbac", "x", "--subject", "ServiceAccount:"}) == Words{"ServiceAccount:project:"});
  CHECK(texts({"create", "rbac", "x", "--subject", "ServiceAccount:project:"}) == Words{"ServiceAccount:project:demo"});
  CHECK(texts({"auth", "can-i", "vi"}) == Words{"view"});
  CHECK(texts({"auth", "can-i", "view", "servers", "g"}) == Words{"grafana"});
  CHECK(texts({"approve", ""}) == Words{"promptrequest", "tool"});
}

TEST_CASE("a manual page for each command that is shown, none of which a request of roff gets into") {
  size_t shown = 0;
  for (const Command& command : fixture_table().all())
    shown += command.hidden ? 0 : 1;
  const auto pages = man_pages(fixture_table());
  CHECK(pages.size() == shown + 1);
  for (const ManPage& page : pages) {
    CHECK(page.file.starts_with("mcpctl"));
    CHECK(page.text.starts_with(".TH MCPCTL"));
    CHECK(page.text.find(".SH NAME\n") != std::string::npos);
    for (size_t at = 0; (at = page.text.find("\n.", at)) != std::string::npos; ++at)
      CHECK_MESSAGE((page.text[at + 2] >= 'A' && page.text[at + 2] <= 'n'), page.text.substr(at, 40));
  }
}

}  // namespace mcpctl
