#include "create_body.h"

#include "fixture.h"

namespace mcpctl {
namespace {

const Inputs kInputs{[] { return Result<std::string>("from stdin"); },
                     [](const std::string&) { return Result<std::string>(""); }};

Result<Bytes> build(std::vector<std::string> words, const std::string& project = {}, const Inputs& inputs = kInputs) {
  words.insert(words.begin(), "create");
  auto parsed = parse_command_line(fixture_table(), words);
  REQUIRE_MESSAGE(parsed.ok(), failure_text(parsed));
  const Invocation& invocation = parsed->invocation;
  return create_body(*invocation.command->kind, invocation.arguments.front(), project, invocation, inputs);
}

std::string body(const std::vector<std::string>& words, const std::string& project = {}) {
  const auto bytes = build(words, project);
  REQUIRE_MESSAGE(bytes.ok(), failure_text(bytes));
  return std::string(view_of(*bytes));
}

std::string refused(const std::vector<std::string>& words) { return failure_text(build(words)); }

}  // namespace

TEST_CASE("fields that were not given are left to the server") {
  CHECK(body({"server", "x", "--transport", "STDIO"}) == R"({"name":"x","transport":"STDIO"})");
}

TEST_CASE("each type of field") {
  CHECK(body({"server", "x", "--transport", "STDIO", "--replicas", "3", "--pin", "--probe", R"({"a":[1]})", "--note",
              "{}", "--note", R"({"b":2})", "--tag", "u", "--tag", "v", "--label", "k=a=b"}) ==
        R"({"name":"x","transport":"STDIO","labels":{"k":"a=b"},"replicas":3,"pin":true,"probe":{"a":[1]},)"
        R"("notes":[{},{"b":2}],"tags":["u","v"]})");
  CHECK(body({"server", "x", "--transport", "STDIO", "--pin=false"}) ==
        R"({"name":"x","transport":"STDIO","pin":false})");
}

TEST_CASE("command lines") {
  CHECK(body({"server", "x", "--transport", "STDIO", "--", "npx", "-y", ""}) ==
        R"({"name":"x","transport":"STDIO","command":["npx","-y",""]})");
  CHECK(body({"server", "x", "--transport", "STDIO", "--command", "/opt/my tool", "--arg", "a b"}) ==
        R"({"name":"x","transport":"STDIO","command":["/opt/my tool","a b"]})");
  CHECK(refused({"server", "x", "--transport", "STDIO", "--command", "npx -y z"}) ==
        "--command takes the program alone, not \"npx -y z\" | write the command last, after two dashes: -- npx -y z");
  CHECK(refused({"server", "x", "--transport", "STDIO", "--arg", "a"}) ==
        "--arg needs --command PROGRAM, --package-name or --docker-image");
  CHECK(refused({"server", "x", "--transport", "STDIO", "--arg", "a", "--", "b"}).find("cannot be mixed") !=
        std::string::npos);
}

TEST_CASE("named values, plain and from secrets") {
  CHECK(body({"server", "x", "--transport", "STDIO", "--env", "A=", "--env", "B=secret:s/k.x"}) ==
        R"({"name":"x","transport":"STDIO","env":[{"name":"A","value":""},)"
        R"({"name":"B","valueFrom":{"secretRef":{"name":"s","key":"k.x"}}}]})");
  // What the short form takes for a reference can be a value, too.
  CHECK(body({"server", "x", "--transport", "STDIO", "--env", R"({"name":"A","value":"secret:s/k"})"}) ==
        R"({"name":"x","transport":"STDIO","env":[{"name":"A","value":"secret:s/k"}]})");
  CHECK(refused({"server", "x", "--transport", "STDIO", "--env", "A"}) ==
        "bad value for --env: \"A\" | write --env KEY=VALUE");
  CHECK(refused({"server", "x", "--transport", "STDIO", "--env", "A=secret:s"}) ==
        "bad value for --env: \"A=secret:s\" | write --env A=secret:NAME/KEY");
  CHECK(refused({"server", "x", "--transport", "STDIO", "--env", "A=1", "--env", "A=2"}) == "--env gives \"A\" twice");
}

TEST_CASE("servers of a project") {
  CHECK(body({"project", "p", "--server", "a", "--server", "b:x"}) ==
        R"({"name":"p","servers":[{"server":"a"},{"server":"b","prefix":"x"}]})");
  CHECK(refused({"project", "p", "--server", "a:"}).find("SERVER[:PREFIX]") != std::string::npos);
}

TEST_CASE("subjects and bindings") {
  CHECK(body({"rbac", "r", "--subject", "group:team", "--subject", "ServiceAccount:project:demo", "--roleBindings",
              "role:view,resource:servers,name:x", "--roleBindings", "action:logs"}) ==
        R"({"name":"r","subjects":[{"kind":"Group","name":"team"},{"kind":"ServiceAccount","name":"project:demo"}],)"
        R"("roleBindings":[{"role":"view","resource":"servers","name":"x"},{"role":"run","action":"logs"}]})");
  CHECK(refused({"rbac", "r", "--subject", "ada"}).find("User:EMAIL") != std::string::npos);
  CHECK(refused({"rbac", "r", "--subject", "Robot:x"}).find("User:EMAIL") != std::string::npos);
  CHECK(refused({"rbac", "r", "--subject", "Usr:ada"}) ==
        "bad value for --subject: \"Usr:ada\" | did you mean \"User\"?");
  CHECK(refused({"rbac", "r", "--subject", "User:a", "--roleBindings", "role:vew,resource:servers"})
            .find("unknown role 'vew' | did you mean \"view\"? write") != std::string::npos);
  CHECK(refused({"rbac", "r", "--roleBindings", "resource:servers"}).find("role:view,resource:servers") !=
        std::string::npos);
}

TEST_CASE("secrets never need the command line") {
  CHECK(body({"secret", "s", "--data", "a=1", "--data-stdin", "b"}) ==
        R"({"name":"s","data":{"a":"1","b":"from stdin"}})");
  CHECK(refused({"secret", "s", "--data", "a=1", "--data-stdin", "a"}) == "--data and --data-stdin both give \"a\"");
  CHECK(body({"user", "u@x.org", "--password-stdin"}) == R"({"email":"u@x.org","password":"from stdin"})");
  CHECK(body({"user", "u@x.org"}) == R"({"email":"u@x.org"})");
  const Inputs asked{kInputs.standard_input, [](const std::string&) { return Result<std::string>("typed"); }};
  CHECK(std::string(view_of(*build({"user", "u@x.org"}, {}, asked))) == R"({"email":"u@x.org","password":"typed"})");
  const Inputs empty{[] { return Result<std::string>(""); }, kInputs.question};
  CHECK(failure_text(build({"user", "u@x.org", "--password-stdin"}, {}, empty)) ==
        "the password on standard input is empty");
}

TEST_CASE("kinds inside a project carry it") {
  CHECK(body({"mcptoken", "t", "--bind", "role:view,resource:servers"}, "demo") ==
        R"({"name":"t","project":"demo","bindings":[{"role":"view","resource":"servers"}]})");
}

}  // namespace mcpctl
