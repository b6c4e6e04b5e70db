#include "output.h"

#include "fixture.h"

namespace mcpctl {
namespace {

constexpr int64_t kNow = 1'767'323'045'000;  // 2026-01-02T03:04:05Z

const Kind& server() { return *fixture_kinds().find("server"); }

std::string show(const std::string& text, Format format, bool as_list = false, bool headers = true) {
  const JsonDocument document = json(text);
  std::vector<JsonValue> objects;
  for (size_t i = 0; i < document.root().size(); ++i)
    objects.push_back(document.root().at(i));
  const auto out = format_objects(server(), objects, as_list, {format, headers, kNow});
  REQUIRE_MESSAGE(out.ok(), failure_text(out));
  return *out;
}

}  // namespace

TEST_CASE("tables are aligned to the left, without trailing spaces") {
  CHECK(format_table({{"NAME", "X"}, {"a", "b"}, {"longer", ""}}) == "NAME    X\na       b\nlonger\n");
  CHECK(format_table({{"a\nb\x1b[1m", "c"}, {"x", "y"}}) == "a b[1m  c\nx       y\n");
  CHECK(format_table({}).empty());
  // Colours take no room, and are for the words that are known, in the columns that were meant.
  CHECK(format_table({{"STATUS", "NAME"}, {"active", "active"}, {"odd", "x"}}, {0}) ==
        "STATUS  NAME\n\033[32mactive\033[0m  active\nodd     x\n");
}

TEST_CASE("cells follow the format of their column") {
  CHECK(
      show(R"([{"name":"a","createdAt":"2026-01-02T03:00:05Z","env":[{"name":"A","value":"1"},{"name":"B"}],"pin":true},
                {"name":"b","createdAt":null,"env":[]}])",
           Format::kTable) == "NAME  AGE    ENV     PIN\na     4m     A:1,B   true\nb     never  <none>  <none>\n");
  CHECK(show(R"([{"name":"a","id":"x1"}])", Format::kWide, false, false) == "a  never  <none>  <none>  x1\n");
}

TEST_CASE("JSON holds everything, one object or a list") {
  CHECK(show(R"([{"name":"a","kind":"server","version":1}])", Format::kJson) ==
        "{\n  \"kind\": \"server\",\n  \"name\": \"a\",\n  \"version\": 1\n}\n");
  CHECK(show(R"([{"name":"a"}])", Format::kJson, true).find("\"kind\": \"List\"") != std::string::npos);
}

TEST_CASE("YAML leaves out what the server sets") {
  CHECK(
      show(
          R"([{"id":"x","name":"a","version":1,"state":"RUNNING","createdAt":"t","updatedAt":"t","pin":false},{"name":"b"}])",
          Format::kYaml, true) == "kind: server\nname: a\npin: false\n---\nkind: server\nname: b\n");
}

TEST_CASE("names") {
  CHECK(show(R"([{"name":"a"},{"name":"b"}])", Format::kName, true) == "server/a\nserver/b\n");
  const JsonDocument user = json(R"({"email":"ada@example.com","name":"Ada"})");
  CHECK(*format_objects(*fixture_kinds().find("users"), {user.root()}, false, {Format::kName}) ==
        "user/ada@example.com\n");
}

TEST_CASE("records") {
  const JsonDocument record = json(R"({"a":"x","b":{"c":1},"d":[{"role":"edit","resource":"*"},"y"],"e":[]})");
  CHECK(*format_record(record.root(), {}) == "a:    x\nb.c:  1\nd:    edit:*\n      y\ne:    <none>\n");
  CHECK(*format_record(record.root(), {Format::kYaml}) ==
        "a: x\nb:\n  c: 1\nd:\n  - role: edit\n    resource: \"*\"\n  - \"y\"\ne: []\n");
}

TEST_CASE("times") {
  int64_t ms = 0;
  CHECK(parse_time(json(R"(["2026-01-02T03:04:05Z"])").root().at(0), ms));
  CHECK(ms == kNow);
  CHECK(parse_time(json(R"(["2026-01-02T03:04:05.250Z"])").root().at(0), ms));
  CHECK(ms == kNow + 250);
  CHECK(parse_time(json("[1767323045000]").root().at(0), ms));
  CHECK(ms == kNow);
  CHECK_FALSE(parse_time(json(R"(["tomorrow"])").root().at(0), ms));
  CHECK(format_time(kNow) == "2026-01-02T03:04:05Z");
  CHECK(format_age(kNow - 45'000, kNow) == "45s");
  CHECK(format_age(kNow - 119'000, kNow) == "119s");
  CHECK(format_age(kNow - 120'000, kNow) == "2m");
  CHECK(format_age(kNow - 36 * 3'600'000LL, kNow) == "36h");
  CHECK(format_age(kNow + 12 * 86'400'000LL, kNow) == "12d");
}

TEST_CASE("unknown formats name where they came from") {
  CHECK(failure_text(format_of("xml", "MCPCTL_OUTPUT")) ==
        "bad output format in MCPCTL_OUTPUT: \"xml\" | values: table, wide, json, yaml, name, "
        "jsonpath=PATH, custom-columns=TITLE:PATH,…");
  CHECK(failure_text(format_of("jsn", "-o")).find("did you mean \"json\"?") != std::string::npos);
}

}  // namespace mcpctl
