#include "fixture.h"

namespace mcpctl {
namespace {

Result<Parsed> parse(const std::vector<std::string>& words) { return parse_command_line(fixture_table(), words); }

Invocation accepted(const std::vector<std::string>& words) {
  auto parsed = parse(words);
  REQUIRE_MESSAGE(parsed.ok(), failure_text(parsed));
  REQUIRE(parsed->invocation.command != nullptr);
  return parsed->invocation;
}

std::string refused(const std::vector<std::string>& words) {
  const auto parsed = parse(words);
  REQUIRE_FALSE(parsed.ok());
  CHECK(parsed.failure().exit_code == kExitUsage);
  return failure_text(parsed);
}

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("commands, aliases and flags at either end") {
  const Invocation get = accepted({"-p", "demo", "get", "servers", "a", "-o", "json", "b", "--no-headers"});
  CHECK(get.command->path == "get");
  CHECK(get.arguments == Words{"servers", "a", "b"});
  CHECK(get.text("project") == "demo");
  CHECK(get.text("output") == "json");
  CHECK(get.is_set("no-headers"));
  CHECK(accepted({"create", "srv", "x", "--transport", "STDIO"}).command->path == "create server");
  CHECK(accepted({"create", "token", "x"}).command->path == "create mcptoken");
  CHECK(accepted({"get", "servers", "--server", "http://x"}).text("mcpd-url") == "http://x");
  CHECK(accepted({"-o", "json", "get", "servers", "-o", "yaml"}).text("output") == "yaml");
}

TEST_CASE("names that are also commands stay arguments") {
  CHECK(accepted({"delete", "server", "login", "create", "delete"}).arguments ==
        Words{"server", "login", "create", "delete"});
  CHECK(accepted({"create", "project", "server"}).arguments == Words{"server"});
}

TEST_CASE("a noun's own flag wins over a common one of that name") {
  const Invocation project =
      accepted({"create", "project", "p", "--server", "a", "--server", "b:x", "--mcpd-url", "http://y"});
  CHECK(project.all("server") == Words{"a", "b:x"});
  CHECK(project.text("mcpd-url") == "http://y");
  CHECK(accepted({"create", "mcptoken", "t", "-p", "demo"}).text("project") == "demo");
}

TEST_CASE("what follows two dashes is a command, or arguments") {
  const Invocation server =
      accepted({"create", "server", "x", "--transport", "STDIO", "--", "npx", "-y", "--help", "--"});
  CHECK(server.rest == Words{"npx", "-y", "--help", "--"});
  CHECK_FALSE(server.help);
  CHECK(accepted({"delete", "server", "--", "-odd"}).arguments == Words{"server", "-odd"});
}

TEST_CASE("values that look like flags") {
  CHECK(accepted({"create", "server", "x", "--transport", "STDIO", "--command", "a", "--arg", "-y", "--arg=--z"})
            .all("arg") == Words{"-y", "--z"});
}

TEST_CASE("help") {
  CHECK(parse({"create", "server", "--help"})->help_path == "create server");
  CHECK(parse({"create"})->help_path == "create");
  CHECK(parse({"-h"})->help_path.empty());
  CHECK(help_text(fixture_table(), "create server").find("--transport STDIO|STREAMABLE_HTTP") != std::string::npos);
  CHECK(help_text(fixture_table(), "create rbac").find("--binding") == std::string::npos);
  CHECK(help_text(fixture_table(), "").find("__docs") == std::string::npos);
}

TEST_CASE("every command and flag is in the page and has a help text") {
  const std::string page = help_markdown(fixture_table());
  for (const Command& command : fixture_table().all()) {
    CAPTURE(command.path);
    CHECK_FALSE(command.summary.empty());
    CHECK(bool(command.handler != nullptr));
    CHECK((page.find("### mcpctl " + command.path + "\n") != std::string::npos) == !command.hidden);
    for (const Flag& flag : CommandTable::flags_of(command)) {
      CAPTURE(flag.name);
      CHECK_FALSE(flag.help.empty());
      CHECK((flag.type != FlagType::kEnum || !flag.choices.empty()));
    }
    for (const Example& example : command.examples)
      CHECK(example.command.find("mcpctl " + command.path) != std::string::npos);
  }
}

TEST_CASE("mistakes") {
  CHECK(refused({"frob"}) == "unknown command \"frob\" | see: mcpctl --help");
  CHECK(refused({"create", "frob", "x"}) == "unknown command \"create frob\" | see: mcpctl create --help");
  CHECK(refused({"get", "servers", "--frob=1"}) == "unknown flag --frob | see: mcpctl get --help");
  CHECK(refused({"get"}) == "RESOURCE is missing | see: mcpctl get --help");
  CHECK(refused({"logout", "x"}) == "too many arguments: \"x\" | see: mcpctl logout --help");
  CHECK(refused({"create", "server", "x"}) == "--transport is required | values: STDIO, STREAMABLE_HTTP");
  CHECK(refused({"create", "server", "x", "--transport", "stdio"}) ==
        "bad value for --transport: \"stdio\" | did you mean \"STDIO\"? values: STDIO, STREAMABLE_HTTP");
  CHECK(refused({"create", "server", "x", "--transport", "STDIO", "--replicas", "two"}) ==
        "bad value for --replicas: \"two\" | write a whole number");
  CHECK(refused({"create", "server", "x", "--transport", "STDIO", "node", "x.js"}) ==
        "too many arguments: \"node\" | a command goes last, after two dashes: -- PROGRAM [ARG…]");
  CHECK(refused({"create", "server", "x", "--transport", "STDIO", "--transport", "STDIO"}) ==
        "--transport may be given once");
  CHECK(refused({"login"}) == "--email is required | see: mcpctl login --help");
  CHECK(refused({"test", "mcp", "u", "--timeout", "-1"}).substr(0, 29) == "bad value for --timeout: \"-1\"");
  CHECK(refused({"get", "servers", "-o"}) == "--output needs a value | see: mcpctl get --help");
  CHECK(refused({"audit", "verfy"}) == "too many arguments: \"verfy\" | did you mean \"verify\"?");
  CHECK(refused({"audit", "xyz"}) == "too many arguments: \"xyz\" | see: mcpctl audit --help");
}

TEST_CASE("removed flags are written as they are valid now") {
  CHECK(refused({"create", "rbac", "r", "--binding", "view:servers:x"}) ==
        "--binding was removed | write: --roleBindings role:view,resource:servers,name:x");
  CHECK(refused({"create", "rbac", "r", "--binding", "role:edit,resource:*"}) ==
        "--binding was removed | write: --roleBindings role:edit,resource:*");
  CHECK(refused({"create", "rbac", "r", "--operation=logs"}) ==
        "--operation was removed | write: --roleBindings action:logs");
}

}  // namespace mcpctl
