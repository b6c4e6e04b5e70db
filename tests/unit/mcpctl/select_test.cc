// Paths, selections, suggestions and differences.
#include "select.h"

#include "fixture.h"
#include "suggest.h"
#include "text_diff.h"

namespace mcpctl {
namespace {

constexpr const char* kList =
    R"({"kind":"List","items":[{"name":"b","n":2,"tags":["x","y"],"at":"2030-01-02T00:00:00Z","l":{"a.b":"c"}},)"
    R"({"name":"a","n":10,"tags":[],"status":"active"}]})";

std::string path(const std::string& text) {
  const JsonDocument document = json(kList);
  const auto wanted = JsonTemplate::parse(text);
  return wanted.ok() ? wanted->render(document.root()) : failure_text(wanted);
}

std::string admitted(const std::string& text) {
  const JsonDocument document = json(kList);
  const auto selector = FieldSelector::parse(text, 1'893'456'000'000);  // 2030-01-01
  REQUIRE(selector.ok());
  std::string out;
  const JsonValue items = document.root().get("items");
  for (size_t i = 0; i < items.size(); ++i) {
    if (selector->admits(items.at(i))) out += items.at(i).text("name");
  }
  return out;
}

std::string sorted(const std::string& text) {
  const JsonDocument document = json(kList);
  std::vector<JsonValue> objects = {document.root().get("items").at(0), document.root().get("items").at(1)};
  sort_by(*JsonPath::parse(text), objects);
  return objects[0].text("name") + objects[1].text("name");
}

}  // namespace

TEST_CASE("paths") {
  CHECK(path("{.kind}") == "List");
  CHECK(path(".items[*].name") == "b a");
  CHECK(path("{.items[0].tags[1]}") == "y");
  CHECK(path("{.items[-1].name}") == "a");
  CHECK(path("{.items[0:1].name}") == "b");
  CHECK(path("{.items[0]['l']['a.b']}") == "c");
  CHECK(path("{.items[?(@.status==\"active\")].name}") == "a");
  CHECK(path("{.items[?(@.name!='a')].n}") == "2");
  CHECK(path("{range .items[*]}{.name}={.n}{\"\\n\"}{end}") == "b=2\na=10\n");
  CHECK(path("{.items[0].tags}") == R"(["x","y"])");
  CHECK(path("{.nothing.at.all}") == "");
  for (const char* bad : {"{.items[}", "{.items[x]}", "{range .items[*]}", "{end}", "{.a", "{.items[?(name)]}"})
    CHECK_MESSAGE(path(bad).find("bad ") != std::string::npos, bad);
}

TEST_CASE("field selectors and orders") {
  CHECK(admitted("status=active") == "a");
  CHECK(admitted("status!=active") == "b");
  CHECK(admitted("n>5") == "a");
  CHECK(admitted("n<=2,name=b") == "b");
  CHECK(admitted("at<7d") == "b");
  CHECK(admitted("at<12h") == "");
  CHECK(admitted("at>-30d") == "b");
  CHECK(!FieldSelector::parse("nothing", 0).ok());
  CHECK(sorted(".name") == "ab");
  CHECK(sorted(".n") == "ba");
  CHECK(sorted(".status") == "ab");
}

TEST_CASE("suggestions are near") {
  const std::vector<std::string> words = {"servers", "secrets", "projects", "describe", "delete"};
  CHECK(nearest("severs", words) == "servers");
  CHECK(nearest("sercets", words) == "secrets");
  CHECK(nearest("proj", words) == "projects");
  CHECK(nearest("desrcibe", words) == "describe");
  CHECK(nearest("x", words).empty());
  CHECK(nearest("frobnicate", words).empty());
  CHECK(nearest(std::string(10'000, 'a'), words).empty());
}

TEST_CASE("unified differences") {
  CHECK(unified_diff("a\n", "a\n", "x", "y").empty());
  CHECK(unified_diff("a\nb\nc\n", "a\nB\nc\n", "x", "y") == "--- x\n+++ y\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n");
  CHECK(unified_diff("", "a\nb\n", "/dev/null", "y") == "--- /dev/null\n+++ y\n@@ -0,0 +1,2 @@\n+a\n+b\n");
  std::string before, after;
  for (int i = 0; i < 30; ++i) {
    before += std::to_string(i) + "\n";
    after += i == 2 || i == 25 ? "changed\n" : std::to_string(i) + "\n";
  }
  const std::string two = unified_diff(before, after, "x", "y");
  CHECK(two.find("@@ -1,6 +1,6 @@") != std::string::npos);
  CHECK(two.find("@@ -23,7 +23,7 @@") != std::string::npos);
  CHECK(unified_diff("a\nx\nb\n", "a\nb\n", "x", "y").find("@@ -1,3 +1,2 @@") != std::string::npos);
}

}  // namespace mcpctl
