#include "yaml_text.h"

#include "fixture.h"

namespace mcpctl {
namespace {

std::string emit(const std::string& text) { return write_yaml(json(text).root()); }

// The document read back from the emitted text, as compact JSON.
std::string round_trip(const std::string& text) {
  const auto document = read_yaml(emit(text), "emitted");
  REQUIRE_MESSAGE(document.ok(), failure_text(document) << "\n" << emit(text));
  return *document->root().print(0);
}

std::string read_failure(const std::string& text) { return failure_text(read_yaml(text, "f")); }

std::string read_json(const std::string& text) {
  const auto document = read_yaml(text, "f");
  REQUIRE_MESSAGE(document.ok(), failure_text(document));
  return *document->root().print(0);
}

}  // namespace

TEST_CASE("block style") {
  CHECK(emit(R"({"a":"x","b":{"c":1,"d":[]},"e":[1,[2,3],{"f":true,"g":null}],"h":{}})") ==
        "a: x\nb:\n  c: 1\n  d: []\ne:\n  - 1\n  - - 2\n    - 3\n  - f: true\n    g: null\nh: {}\n");
  CHECK(emit(R"({"text":"one\ntwo\n","bare":"one\n\ntwo"})") == "text: |\n  one\n  two\nbare: |-\n  one\n\n  two\n");
}

TEST_CASE("texts that YAML would take for something else are quoted") {
  for (const char* text :
       {"",     "true", "Yes",      "no",         "on", "Off",  "null", "~",    "1",   "-1",    "1.5",
        "0x1f", "1e3",  "12:30:00", "2026-01-02", "-",  "- a",  "a: b", "a #b", "#a",  "[a",    "{a",
        "*a",   "&a",   "!a",       "|",          ">",  "%a",   "@a",   "`a",   "'a'", "\\\"a", " a",
        "a ",   "a:",   "? a",      "<<",         "=",  ".inf", "y",    "N",    "\\t", "ä"}) {
    CAPTURE(std::string(text));
    const std::string document = std::string("{\"") + text + "\":\"" + text + "\"}";
    CHECK(round_trip(document) == *json(document).root().print(0));
    CHECK(emit(std::string("[\"") + text + "\"]").substr(0, 3) == "- \"");
  }
  CHECK(emit(R"(["http://a.b:1/c","mcpctl_pat_x","@scope/pkg@1.0","a, b","/bin/x"])") ==
        "- http://a.b:1/c\n- mcpctl_pat_x\n- \"@scope/pkg@1.0\"\n- a, b\n- /bin/x\n");
}

TEST_CASE("every document comes back") {
  for (const char* text :
       {R"({"a":"line\n  indented\n\tand tab\n"})", R"({"a":"\n leading"})", R"({"a":"trailing\n\n"})",
        R"({"a":" x\ny"})", R"({"a":"cr\r\nlf"})", R"({"a":"esc\u001b\u202e\u0085\u2028 \ufeff"})",
        R"({"a":[[[]]],"b":[{}],"c":[[],{}]})", R"([{"a":[1,2]},{"b":{"c":[{"d":"e\nf"}]}}])",
        R"({"a":"x\n---\ny","b":"...\nz"})", R"("scalar\ntext")", R"(12)",
        R"({"k with space":1,"k:":2,"multi\nline":3})", R"({"big":123456789012345678901234567890,"f":-1.5e-7})",
        R"({"a":"  \n"})", R"({"a":"x\n   \ny"})"}) {
    CAPTURE(std::string(text));
    CHECK(round_trip(text) == *json(text).root().print(0));
  }
}

TEST_CASE("reading follows the core schema") {
  CHECK(read_json("a: yes\nb: true\nc: 012\nd: 1.50\ne: ~\nf:\ng: '1'\nh: 0x10\n") ==
        R"({"a":"yes","b":true,"c":"012","d":1.50,"e":null,"f":null,"g":"1","h":"0x10"})");
  CHECK(read_json("") == "null");
  CHECK(read_json("# only a comment\n") == "null");
  CHECK(read_json("- a\n- {b: [c, d]}\n") == R"(["a",{"b":["c","d"]}])");
}

TEST_CASE("reading is strict and says where") {
  CHECK(read_failure("a: 1\na: 2\n") == "f:2:1: duplicate key \"a\"");
  CHECK(read_failure("a: {b: 1, b: 2}\n") == "f:1:11: duplicate key \"b\"");
  CHECK(read_failure("a: &x 1\n") == "f:1:4: anchors are not allowed");
  CHECK(read_failure("a: *x\n") == "f:1:4: aliases are not allowed");
  CHECK(read_failure("a: !!int 1\n") == "f:1:4: tags are not allowed");
  CHECK(read_failure("[a]: 1\n") == "f:1:1: a key must be text");
  CHECK(read_failure("a: 1\n---\nb: 2\n") == "f:2:1: one document is expected");
  CHECK(read_failure("a: [1\n").substr(0, 4) == "f:2:");
  CHECK(read_failure("a: \xff\n") == "f:1:4: is not UTF-8");
  CHECK(read_failure("b: 1\na: ä\xe4\n") == "f:2:5: is not UTF-8");
  CHECK(read_failure("b: 1\n\na: x\x01\n") == "f:3:5: control characters are not allowed");
  CHECK(read_failure("\xEF\xBB\xBF"
                     "a: 1\nb: 2\na: 3\n") == "f:3:1: duplicate key \"a\"");
  CHECK(read_json("\xEF\xBB\xBF"
                  "a: 1\nb: 2\n") == R"({"a":1,"b":2})");
  std::string deep;
  for (int i = 0; i < 65; ++i)
    deep += '[';
  CHECK(read_failure(deep + std::string(65, ']')) == "f:1:65: nested too deeply");
}

TEST_CASE("a mistake in one document costs that one alone") {
  const YamlStream stream = read_yaml_stream(
      "%YAML 1.1\n---\na: 1\n---\nb: 1\nb: 2\n--- # third\nc: |\n  ----\n  text\n---\n\td: 1\n...\n---\ne: [1\n---\nf: "
      "1\n",
      "f");
  REQUIRE(stream.documents.size() == 3);
  CHECK(stream.documents[0].json.root().text("a") == "1");
  CHECK(stream.documents[1].json.root().text("c") == "----\ntext\n");
  CHECK(stream.documents[1].marks.at("c").line == 8);
  CHECK(stream.documents[2].json.root().text("f") == "1");
  REQUIRE(stream.problems.size() == 3);
  CHECK(stream.problems[0].what == "f:6:1: duplicate key \"b\"");
  CHECK(stream.problems[1].what.substr(0, 5) == "f:12:");
  CHECK(stream.problems[2].what.substr(0, 5) == "f:16:");
}

}  // namespace mcpctl
