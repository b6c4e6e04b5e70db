#include "documents.h"

#include <algorithm>
#include <set>

#include "create_body.h"
#include "fixture.h"

namespace mcpctl {
namespace {

// The table that the library has.
const Kinds& library_kinds() {
  static const Kinds kinds = std::move(*Kinds::load());
  return kinds;
}

FileObjects read(const std::string& text, const std::string& project = "demo") {
  return read_objects(library_kinds(), text, "f.yaml", project);
}

// Every mistake, a line each.
std::string mistakes(const std::string& text) {
  std::string out;
  for (const Failure& problem : read(text).problems)
    out += problem.what + (problem.hint.empty() ? "" : " | " + problem.hint) + "\n";
  return out;
}

}  // namespace

TEST_CASE("documents: one, several, groups and lists") {
  const FileObjects one = read("kind: server\nname: a\nexternalUrl: https://e.org/\n");
  REQUIRE(one.objects.size() == 1);
  CHECK(one.objects[0].label == "server/a");
  CHECK(*one.objects[0].json.root().print(0) == R"({"kind":"server","name":"a","externalUrl":"https://e.org/"})");
  const FileObjects several = read("# nothing\n---\nkind: group\nname: a\n---\nkind: group\nname: b\n");
  CHECK(several.objects.size() == 2);
  const FileObjects groups = read(
      "servers:\n  - name: a\n    externalUrl: https://e.org/\nprompts:\n  - name: hi\n    content: x\n"
      "projects:\n  - {name: p, proxyModel: none}\n");
  REQUIRE(groups.objects.size() == 3);
  CHECK(groups.objects[1].label == "prompt/demo/hi");
  CHECK(groups.objects[2].place("proxyModel") == "f.yaml:8:15");
  const FileObjects list = read(R"({"kind":"List","items":[{"kind":"group","name":"a","id":"x","version":3}]})");
  REQUIRE(list.objects.size() == 1);
  CHECK(list.objects[0].label == "group/a");
  CHECK(read("").objects.empty());
}

TEST_CASE("documents: every mistake with its place") {
  CHECK(mistakes("kind: server\nname: a\nexternalUrl: https://e.org/\ndescripton: x\n") ==
        "f.yaml:4:1: descripton: unknown field | did you mean \"description\"?\n");
  CHECK(mistakes("kind: server\nname: a\ncommand: [x]\nenv:\n  - name: A\n    valeu: x\n") ==
        "f.yaml:6:5: env[0].valeu: unknown field | did you mean \"value\"?\n");
  CHECK(mistakes("kind: server\nname: a\ncommand: [x]\nreplicas: two\n") ==
        "f.yaml:4:1: replicas: must be a whole number\n");
  CHECK(mistakes("kind: group\nname: 12\n") == "f.yaml:2:1: name: must be text | put it in quotes\n");
  CHECK(mistakes("kind: server\nname: a\ncommand: [x]\nshare: everybody\n") ==
        "f.yaml:4:1: share: \"everybody\" is no value of it | values: installation, project, principal, session\n");
  CHECK(mistakes("kind: sevrer\nname: a\n") ==
        "f.yaml:1:1: kind: unknown kind \"sevrer\" | did you mean \"server\"?\n");
  CHECK(mistakes("name: a\n").find("is neither a kind nor is there a \"kind\"") != std::string::npos);
  CHECK(mistakes("kind: group\n").find("\"name\" is missing") != std::string::npos);
  CHECK(mistakes("kind: instance\nname: a\n").find("is not made by anybody") != std::string::npos);
  CHECK(mistakes("kind: group\nname: a\n---\nkind: group\nname: a\n") ==
        "f.yaml:4:1: group/a is there twice | the first is at f.yaml:1:1\n");
  CHECK(mistakes("kind: group\nname: a\nname: b\n").find("f.yaml:3:1: duplicate key \"name\"") == 0);
  CHECK(mistakes("kind: group\nname: &x a\n").find("anchors are not allowed") != std::string::npos);
  CHECK(mistakes("kind: group\nname: !!str a\n").find("tags are not allowed") != std::string::npos);
  CHECK(mistakes("kind: group\nname: a\n---\nkind: group\nname: b\nfrob: 1\n---\nkind: group\nx: 1\n")
            .find("f.yaml:6:1") == 0);
  CHECK(read("kind: group\nname: a\n---\nkind: group\nname: b\nfrob: 1\n").objects.size() == 1);
}

TEST_CASE("what a field of a file can say, a flag of create can say") {
  // Said by an argument, by -p, by --password-stdin or a question, by --ttl.
  const std::set<std::string> otherwise = {"name", "email", "project", "password", "expiresAt"};
  // Without an effect.
  const std::set<std::string> nothing = {"gated", "proxyMode"};
  for (const Kind& kind : library_kinds().all()) {
    if (!kind.can("create")) continue;
    const std::vector<Flag> flags = create_flags(kind);
    for (const Field& field : kind.fields) {
      if (field.read_only || otherwise.count(field.name) != 0 || nothing.count(field.name) != 0) continue;
      const bool said =
          std::any_of(flags.begin(), flags.end(), [&](const Flag& flag) { return flag.name == field.flag; });
      const bool force = field.name == "force";
      CHECK_MESSAGE((said || force), kind.name << "." << field.name);
    }
  }
}

TEST_CASE("documents: what others refer to comes first") {
  FileObjects read_ones = read(
      "kind: mcptoken\nname: t\n---\nkind: project\nname: p\nproxyModel: none\n---\nkind: secret\nname: s\n---\nkind: "
      "user\nemail: a@b.c\n");
  REQUIRE(read_ones.problems.empty());
  sort_for_apply(read_ones.objects);
  std::string order;
  for (const FileObject& object : read_ones.objects)
    order += object.label + " ";
  CHECK(order == "user/a@b.c secret/s project/p mcptoken/demo/t ");
}

}  // namespace mcpctl
