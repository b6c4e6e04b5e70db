#include <doctest/doctest.h>

#include "control/kind.h"
#include "control/rules.h"
#include "token/token.h"

using namespace mcptoken;
using namespace mcptoken::control;

namespace {

json::Value parse(std::string_view text) {
  auto value = json::parse(text);
  REQUIRE_MESSAGE(value.has_value(), text);
  return *value;
}

std::string checked(std::string_view kind, std::string_view text, Mode mode = Mode::create) {
  auto out = check(*find_kind(kind), parse(text), mode, nullptr);
  return out ? "ok" : out.error().message;
}

struct Refused {
  const char* kind;
  const char* text;
  const char* message;  // how the message begins
};

}  // namespace

TEST_CASE("what is wrong is named by its path") {
  const Refused cases[] = {
      {"server", R"({"name":"s"})", "externalUrl: one of command"},
      {"server", R"({"command":["x"]})", "name: is required"},
      {"server", R"({"name":"S","command":["x"]})", "name: must be 1 to 63"},
      {"server", R"({"name":"-s","command":["x"]})", "name: must be 1 to 63"},
      {"server", R"({"name":"","command":["x"]})", "name: must not be empty"},
      {"server", R"({"name":7,"command":["x"]})", "name: must be a string"},
      {"server", R"({"name":null,"command":["x"]})", "name: must not be null"},
      {"server", R"({"name":"s","command":["x"],"nope":1})", "nope: unknown field"},
      {"server", R"({"name":"s","command":["x"],"Name":"s"})", "Name: unknown field"},
      {"server", R"({"name":"s","command":[]})", "command: must not be empty"},
      {"server", R"({"name":"s","command":["-x"]})", "command[0]: must name a program"},
      {"server", R"({"name":"s","command":["./x"]})", "command[0]: \"./x\" is a relative path"},
      {"server", R"({"name":"s","command":["bin/x","y"]})", "command[0]: \"bin/x\" is a relative path"},
      {"server", R"({"name":"s","command":["../x"]})", "command[0]: \"../x\" is a relative path"},
      {"server", R"({"name":"s","command":["x/"]})", "command[0]: \"x/\" is a relative path"},
      {"template", R"({"name":"s","command":["./x"]})", "command[0]: \"./x\" is a relative path"},
      {"server", R"({"name":"s","command":["x",1]})", "command[1]: must be a string"},
      {"server", R"({"name":"s","command":["x","a\u0000b"]})", "command[1]: must not hold NUL"},
      {"server", R"({"name":"s","command":["x"],"externalUrl":"http://h/"})", "externalUrl: cannot be combined"},
      {"server", R"({"name":"s","externalUrl":"http://h/","transport":"STDIO"})", "transport: must be SSE"},
      {"server", R"({"name":"s","command":["x"],"transport":"SSE"})", "transport: must be STDIO"},
      {"server", R"({"name":"s","command":["x"],"transport":"stdio"})", "transport: must be one of STDIO"},
      {"server", R"({"name":"s","externalUrl":"ftp://h/"})", "externalUrl: must begin with http"},
      {"server", R"({"name":"s","externalUrl":"http://u:p@h/"})", "externalUrl: must not hold user information"},
      {"server", R"({"name":"s","externalUrl":"http:///x"})", "externalUrl: has no valid host"},
      {"server", R"({"name":"s","externalUrl":"http://127..1/x"})", "externalUrl: has no valid host"},
      {"server", R"({"name":"s","externalUrl":"http://.127.0.0.1/x"})", "externalUrl: has no valid host"},
      {"server", R"({"name":"s","externalUrl":"http://[127.0.0.1]/x"})", "externalUrl: has no valid host"},
      {"server", R"({"name":"s","externalUrl":"http://[:::]/x"})", "externalUrl: has no valid host"},
      {"server", R"({"name":"s","externalUrl":"http://[::1/x"})", "externalUrl: has no valid host"},
      {"server", R"({"name":"s","externalUrl":"http://h/{x}"})", "externalUrl: must be a URL of printable ASCII"},
      {"server", R"({"name":"s","externalUrl":"http://h/a^b"})", "externalUrl: must be a URL of printable ASCII"},
      {"server", R"({"name":"s","externalUrl":"http://h/a|b"})", "externalUrl: must be a URL of printable ASCII"},
      {"server", R"({"name":"s","externalUrl":"http://h/a`b"})", "externalUrl: must be a URL of printable ASCII"},
      {"server", R"({"name":"s","externalUrl":"http://h/a%zz"})", "externalUrl: must be a URL of printable ASCII"},
      {"server", R"({"name":"s","externalUrl":"http://h/a%"})", "externalUrl: must be a URL of printable ASCII"},
      {"server", R"({"name":"s","externalUrl":"http://h/a%4"})", "externalUrl: must be a URL of printable ASCII"},
      {"server", R"({"name":"s","externalUrl":"http://h:99999/"})", "externalUrl: has a bad port"},
      {"server", R"({"name":"s","externalUrl":"http://h/ x"})", "externalUrl: must be a URL of printable"},
      {"server", R"({"name":"s","packageName":"-e evil"})", "packageName: must be NAME"},
      {"server", R"({"name":"s","packageName":"@x"})", "packageName: must be NAME"},
      {"server", R"({"name":"s","packageName":"@s/x@1","runtime":"python"})", "packageName: a Python package has no scope"},
      {"server", R"({"name":"s","packageName":"x[a]@1"})", "packageName: extras in [] go with runtime python"},
      {"server", R"({"name":"s","packageName":"x[]@1","runtime":"python"})", "packageName: must be NAME"},
      {"server", R"({"name":"s","packageName":"x[a@1","runtime":"python"})", "packageName: must be NAME"},
      {"server", R"({"name":"s","packageName":"x[","runtime":"python"})", "packageName: must be NAME"},
      {"server", R"({"name":"s","packageName":"x[-a]","runtime":"python"})", "packageName: must be NAME"},
      {"server", R"({"name":"s","packageName":"x","command":["a"],"externalUrl":"https://h/"})",
       "externalUrl: cannot be combined with packageName"},
      {"server", R"({"name":"s","dockerImage":"--privileged"})", "dockerImage: must be an image"},
      {"server", R"({"name":"s","dockerImage":"a:ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt"})", "dockerImage: must be an image"},
      {"server", R"({"name":"s","dockerImage":"example.com:x/a"})", "dockerImage: must be an image"},
      {"server", R"({"name":"s","dockerImage":"a/"})", "dockerImage: must be an image"},
      {"server", R"({"name":"s","dockerImage":"a..b"})", "dockerImage: must be an image"},
      {"server", R"({"name":"s","dockerImage":"-a"})", "dockerImage: must be an image"},
      {"server", R"({"name":"s","dockerImage":"a@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"})", "dockerImage: must be an image"},
      {"server", R"({"name":"s","dockerImage":"a:b:c"})", "dockerImage: must be an image"},
      {"server", R"({"name":"s","dockerImage":"a/B"})", "dockerImage: must be an image"},
      {"server", R"({"name":"s","dockerImage":"Img"})", "dockerImage: must be an image"},
      {"server", R"({"name":"s","dockerImage":"img@sha256:zz"})", "dockerImage: must be an image"},
      {"server", R"({"name":"s","dockerImage":"a//b"})", "dockerImage: must be an image"},
      {"server", R"({"name":"s","dockerImage":"http://x/y"})", "dockerImage: must be an image"},
      {"server", R"({"name":"s","dockerImage":"img:-x"})", "dockerImage: must be an image"},
      {"server", R"({"name":"s","dockerImage":"img:"})", "dockerImage: must be an image"},
      {"server", R"({"name":"s","command":["x"],"runtime":"node"})", "runtime: goes with packageName"},
      {"server", R"({"name":"s","packageName":"x","runtime":"ruby"})", "runtime: must be one of node, python"},
      {"server", R"({"name":"s","command":["x"],"replicas":11})", "replicas: must be a whole number from 0 to 10"},
      {"server", R"({"name":"s","command":["x"],"replicas":1.5})", "replicas: must be a whole number"},
      {"server", R"({"name":"s","externalUrl":"https://e.org/","replicas":2})",
       "replicas: a server behind externalUrl runs elsewhere: only 1, or 0 to switch it off"},
      {"server", R"({"name":"s","command":["x"],"replicas":2,"share":"session"})",
       "replicas: with share session each session has a process of its own: only 1, or 0 to switch it off"},
      {"server", R"({"name":"s","command":["x"],"allowPrivate":"yes"})", "allowPrivate: must be true or false"},
      {"server", R"({"name":"s","command":["x"],"headers":[]})", "headers: go with externalUrl"},
      {"server", R"({"name":"s","externalUrl":"http://h/","env":[]})", "env: goes with servers"},
      {"server", R"({"name":"s","command":["x"],"env":[{"value":"1"}]})", "env[0].name: is required"},
      {"server", R"({"name":"s","command":["x"],"env":[{"name":"1A","value":"1"}]})",
       "env[0].name: must be a variable name"},
      {"server", R"({"name":"s","command":["x"],"env":[{"name":"A","value":"1"},{"name":"A","value":"2"}]})",
       "env[1].name: is there twice"},
      {"server", R"({"name":"s","command":["x"],"env":[{"name":"A"}]})", "env[0]: must have either"},
      {"server",
       R"({"name":"s","command":["x"],"env":[{"name":"A","value":"1","valueFrom":{"secretRef":{"name":"t","key":"k"}}}]})",
       "env[0]: must have either"},
      {"server",
       R"({"name":"s","command":["x"],"env":[{"name":"A","value":"1"},{"name":"B","value":"1"},{"name":"C","valueFrom":{"secretRef":{"key":"k"}}}]})",
       "env[2].valueFrom.secretRef.name: is required"},
      {"server",
       R"({"name":"s","command":["x"],"env":[{"name":"C","valueFrom":{"secretRef":{"name":"n","key":"a/b"}}}]})",
       "env[0].valueFrom.secretRef.key: a key is"},
      {"server", R"({"name":"s","command":["x"],"env":["A"]})", "env[0]: must have the form NAME=VALUE"},
      {"server", R"({"name":"s","externalUrl":"http://h/","headers":[{"name":"Host","value":"x"}]})",
       "headers[0].name: is not a header"},
      {"server", R"({"name":"s","externalUrl":"http://h/","headers":[{"name":"mcp-session-id","value":"x"}]})",
       "headers[0].name: is not a header"},
      {"server", R"({"name":"s","externalUrl":"http://h/","headers":[{"name":"X","value":"a\nb"}]})",
       "headers[0].value: must be one line"},
      {"server", R"({"name":"s","externalUrl":"http://h/","headers":[{"name":"X","value":"a\rb"}]})",
       "headers[0].value: must not hold control"},
      {"server", R"({"name":"s","command":["x"],"healthCheck":{}})", "healthCheck.tool: is required"},
      {"server", R"({"name":"s","command":["x"],"healthCheck":{"tool":"t","interval":1}})",
       "healthCheck.interval: unknown field"},
      {"server", R"({"name":"s","command":["x"],"description":"a\u001b[31m"})", "description: must be one line"},
      {"server", R"({"name":"s","command":["x"],"description":"a\u202eb"})", "description: must be one line"},
      {"server", R"({"name":"s","command":["x"],"labels":{"a b":"c"}})", "labels: a label's name"},
      {"server", R"({"name":"s","command":["x"],"labels":{"a":"b c"}})", "labels.a: a label's value"},
      {"server", R"({"name":"s","command":["x"],"kind":"secret"})", "kind: must be server"},
      {"server", R"([])", "body: must be an object"},
      {"project", R"({"name":"p","proxyModel":1})", "proxyModel: must be a string"},
      {"project", R"({"name":"p","proxyModel":"none","servers":[{"server":"a"},{"server":"a"}]})",
       "servers[1].server: \"a\" is attached twice"},
      {"project",
       R"({"name":"p","proxyModel":"none","servers":[{"server":"a","prefix":""},{"server":"b","prefix":""}]})",
       "servers[1].prefix: only one may be empty"},
      {"project", R"({"name":"p","servers":[{"server":"a","prefix":"x__y"},{"server":"b","prefix":"x"}]})",
       "servers[0].prefix: names of \"a\" would begin with \"x__y__\", as some of \"b\" may"},
      {"project", R"({"name":"p","separator":"_","servers":[{"server":"a","prefix":"x"},{"server":"b","prefix":"x_"}]})",
       "servers[1].prefix: names of \"b\" would begin with \"x__\", as some of \"a\" may"},
      {"project", R"({"name":"p","separator":"-","servers":["ha","ha-two"]})", "servers[1].prefix: names of \"ha-two\" would"},
      {"project", R"({"name":"p","proxyModel":"none","servers":[{"prefix":""}]})", "servers[0].server: is required"},
      {"project", R"({"name":"p","proxyModel":"none","separator":"x"})", "separator: must be 1 to 4"},
      {"project",
       R"({"name":"p","proxyModel":"none","llm":{"baseUrl":"http://h","model":"m","apiKeySecret":{"name":"s"}}})",
       "llm.apiKeySecret.key: is required"},
      {"user", R"({"email":"xyz"})", "email: must be an e-mail address"},
      {"user", R"({"email":"a@b.org","password":"short"})", "password: must have 8"},
      {"secret", R"({"name":"s","data":{"a b":"c"}})", "data: a key is"},
      {"secret", R"({"name":"s","data":{"a":1}})", "data.a: must be a string"},
      {"rbac", R"({"name":"mcptoken-x","subjects":[],"roleBindings":[]})", "name: names that begin with mcptoken-"},
      {"rbac", R"({"name":"r","subjects":[],"roleBindings":[{"role":"view"}]})", "roleBindings[0]"},
      {"rbac",
       R"({"name":"r","subjects":[],"roleBindings":[{"role":"view","resource":"servers"},{"role":"","resource":"servers"}]})",
       "roleBindings[1]"},
      {"rbac", R"({"name":"r","subjects":[],"roleBindings":[{"role":"view","resource":"servers","name":""}]})",
       "roleBindings[0]"},
      {"rbac", R"({"name":"r","subjects":[],"roleBindings":[{"role":"view","resource":"servers","name":"*"}]})",
       "roleBindings[0]"},
      {"rbac", R"({"name":"r","subjects":[],"roleBindings":[{"role":"view","action":"logs"}]})", "roleBindings[0]"},
      {"rbac", R"({"name":"r","subjects":[],"roleBindings":[{"action":"fly"}]})", "roleBindings[0]"},
      {"rbac", R"({"name":"r","subjects":[],"roleBindings":["role=view"]})", "roleBindings[0]"},
      {"rbac", R"({"name":"r","subjects":[{"kind":"McpToken","name":"ABC"}],"roleBindings":[]})",
       "subjects[0].name: is not the name of a McpToken"},
      {"rbac", R"({"name":"r","subjects":[{"kind":"user","name":"a@b.org"}],"roleBindings":[]})",
       "subjects[0].kind: must be one of"},
      {"rbac", R"({"name":"r","subjects":["User"],"roleBindings":[]})", "subjects[0]: must have the form KIND:NAME"},
  };
  for (const auto& one : cases) {
    const auto message = checked(one.kind, one.text);
    CHECK_MESSAGE(message.starts_with(one.message), one.text << " -> " << message);
  }
}

TEST_CASE("addresses that can be called are taken, and no longer hosts than there can be") {
  const auto answer = [](const std::string& url) { return checked("server", R"({"name":"s","externalUrl":")" + url + "\"}"); };
  const std::string host(253, 'a');
  for (const auto& url : {"http://" + host + "/", std::string("https://[2001:db8::1]:8443/x?y=%C3%A9"), std::string("http://127.1/"),
                          std::string("http://[::ffff:192.0.2.1]/"), std::string("http://a_b.example.com./~x/(y);z=1,2"),
                          std::string("http://h")})
    CHECK_MESSAGE(answer(url) == "ok", url);
  CHECK(answer("http://" + host + "a/") == "externalUrl: has no valid host");
}

TEST_CASE("fields that the server sets are unknown in a body") {
  for (auto field : {"id", "version", "createdAt", "updatedAt", "revision", "system", "ownerId", "hash"}) {
    const auto text = std::string(R"({"name":"s","command":["x"],")") + field + "\":\"x\"}";
    CHECK(checked("server", text) == std::string(field) + ": unknown field");
  }
  for (auto field : {"id", "hash", "prefix", "createdAt", "revokedAt", "ceiling", "systemOwned", "ownerId", "owner",
                     "tokenSha", "status"}) {
    const auto text = std::string(R"({"name":"t","project":"p",")") + field + "\":\"x\"}";
    CHECK_MESSAGE(checked("mcptoken", text).find("unknown field") != std::string::npos, field);
  }
}

TEST_CASE("no credential of ours is taken into an object") {
  const auto minted = token::mint(token::Kind::pat);
  REQUIRE(minted.has_value());
  const std::string raw(minted->raw.reveal());
  CHECK(checked("secret", R"({"name":"s","data":{"k":"x )" + raw + "\"}}").find("credential") != std::string::npos);
  CHECK(checked("server", R"({"name":"s","command":["x",")" + raw + "\"]}").find("credential") != std::string::npos);
  CHECK(checked("server",
                R"({"name":"s","externalUrl":"http://h","headers":[{"name":"A","value":"Bearer )" + raw + "\"}]}")
            .find("credential") != std::string::npos);
  // Whatever the field, and however deep: the message has the path and not the credential.
  const std::pair<const char*, std::string> others[] = {
      {"server", R"({"name":"s","externalUrl":"https://h/?t=)" + raw + "\"}"},
      {"server", R"({"name":"s","externalUrl":"https://h","description":"with )" + raw + "\"}"},
      {"group", R"({"name":"g","labels":{"k":")" + raw + "\"}}"},
      {"group", R"({"name":"g","labels":{")" + raw + R"(":"v"}})"},
      {"prompt", R"({"name":"p","project":"q","content":"say\n)" + raw + "\"}"},
      {"mcptoken", R"({"name":"t","project":"q","ttl":"1h","description":")" + raw + "\"}"},
      {"server", R"({"name":"s","externalUrl":"https://h","healthCheck":{"tool":"t","arguments":{"a":[{"b":")" + raw +
                     "\"}]}}}"}};
  for (const auto& [kind, body] : others) {
    CAPTURE(body);
    const auto said = checked(kind, body);
    CHECK(said.find("holds an mcpctl credential") != std::string::npos);
    CHECK(said.find(raw) == std::string::npos);
  }
  CHECK(checked("server", R"({"name":"s","externalUrl":"https://h","description":"begins with mcpctl_pat_"})") == "ok");
}

TEST_CASE("lines hold nothing that nobody sees") {
  for (const char* text : {"a\u00adb", "a\u061cb", "a\u180eb", "a\u200bb", "a\u202eb", "a\u2066b", "a\u3164b",
                           "a\ufe0fb", "a\ufff9b", "a\U000e0041b", "a\U000e0100b", "a\u0085b",
                           "a\x7f"
                           "b"}) {
    CAPTURE(text);
    CHECK_FALSE(line_rule(json::Value::string(text)));
  }
  for (const char* text : {"caf\u00e9", "\u65e5\u672c", "\U0001F600", "\u0645"})
    CHECK(line_rule(json::Value::string(text)));
  CHECK(text_rule(json::Value::string("two\nlines \u26a0\ufe0f")));
  CHECK_FALSE(text_rule(json::Value::string("a\U000e0041b")));
}

TEST_CASE("defaults, one-line spellings and aliases become the canonical object") {
  auto server = check(*find_kind("server"),
                      parse(R"({"externalUrl":"http://h/mcp","name":"s","headers":["X-A=b=c"],"kind":"server"})"),
                      Mode::create, nullptr);
  REQUIRE(server.has_value());
  CHECK(
      json::to_text(*server) ==
      R"({"name":"s","externalUrl":"http://h/mcp","headers":[{"name":"X-A","value":"b=c"}],"replicas":1,"share":"project","allowPrivate":false,"pin":false,"transport":"STREAMABLE_HTTP"})");
  auto role = check(
      *find_kind("rbac"),
      parse(
          R"({"name":"r","subjects":["User:A@Example.ORG"],"roleBindings":["role:view,resource:srv",{"role":"edit","resource":"project","name":"p"}]})"),
      Mode::create, nullptr);
  REQUIRE(role.has_value());
  CHECK(
      json::to_text(*role) ==
      R"({"name":"r","subjects":[{"kind":"User","name":"A@example.org"}],"roleBindings":[{"role":"view","resource":"servers"},{"role":"edit","resource":"projects","name":"p"}]})");
  auto health = check(*find_kind("server"), parse(R"({"name":"s","command":["x"],"healthCheck":{"tool":"t"}})"),
                      Mode::create, nullptr);
  REQUIRE(health.has_value());
  CHECK(health->find("healthCheck")->find("intervalSeconds")->as_int() == 60);
}

TEST_CASE("accepted fields of the past are dropped with a warning") {
  std::vector<std::string> warnings;
  auto project = check(*find_kind("project"), parse(R"({"name":"p","proxyModel":"none","gated":true,"proxyMode":"x"})"),
                       Mode::create, &warnings);
  REQUIRE(project.has_value());
  CHECK(project->find("gated") == nullptr);
  CHECK(warnings.size() == 2);
  CHECK(checked("server", R"({"name":"s","command":["x"],"repositoryUrl":"https://h/r","containerPort":3000})") ==
        "ok");
}

TEST_CASE("a package without a version is taken, with a warning") {
  const auto warned = [](const char* kind, const std::string& package, Mode mode) {
    std::vector<std::string> warnings;
    const auto text = R"({"name":"s","packageName":")" + package + R"("})";
    CHECK(check(*find_kind(kind), parse(text), mode, &warnings).has_value());
    return !warnings.empty() && warnings[0].find("write " + package + "@VERSION") != std::string::npos;
  };
  CHECK(warned("server", "pkg", Mode::create));
  CHECK(warned("server", "@scope/pkg", Mode::replace));
  CHECK(warned("template", "pkg", Mode::create));
  CHECK(checked("server", R"({"name":"s","packageName":"a.b[x,y-z]@1.2+cpu","runtime":"python","command":["-v","/a b"]})") == "ok");
  CHECK(checked("server", R"({"name":"s","dockerImage":"a/b:1","command":["--root","./data"]})") == "ok");
  CHECK_FALSE(warned("server", "pkg@1.2", Mode::create));
  CHECK_FALSE(warned("server", "@scope/pkg@1.2", Mode::create));
}

TEST_CASE("a patch requires nothing, may remove, and knows the same fields") {
  CHECK(checked("server", R"({"description":null,"replicas":2})", Mode::patch) == "ok");
  CHECK(checked("server", R"({"healthCheck":{"timeoutSeconds":null}})", Mode::patch) == "ok");
  CHECK(checked("server", R"({"nope":null})", Mode::patch) == "nope: unknown field");
  CHECK(checked("server", R"({"env":[{"name":"A","value":null}]})", Mode::patch) ==
        "env[0].value: must not be null; leave it out");
  const auto merged = merge_patch(parse(R"({"a":1,"b":{"c":1,"d":2},"e":[1]})"),
                                  parse(R"({"a":null,"b":{"c":null,"x":{"y":null}},"e":[2]})"));
  CHECK(json::to_text(merged) == R"({"b":{"d":2,"x":{}},"e":[2]})");
}

TEST_CASE("references are found wherever they are") {
  auto server = parse(
      R"({"name":"s","env":[{"name":"A","value":"1"},{"name":"B","valueFrom":{"secretRef":{"name":"t","key":"k"}}}]})");
  std::vector<std::string> seen;
  REQUIRE(each_reference(*find_kind("server"), server, [&](Reference& reference) -> Result<void> {
    seen.push_back(reference.path + "=" + reference.value + ":" + std::string(reference.kind) + "/" +
                   std::string(reference.top));
    reference.keep = false;
    return {};
  }));
  CHECK(seen == std::vector<std::string>{"env[1].valueFrom.secretRef.name=t:secret/env"});
  CHECK(server.find("env")->items().size() == 1);
}
