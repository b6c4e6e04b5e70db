#include "connect.h"

#include "fixture.h"
#include "yaml_text.h"

namespace mcpctl {
namespace {

const Connection kConnection = {"demo", "http://127.0.0.1:3100/projects/demo/mcp", "MCPCTL_TOKEN_DEMO", "demo",
                                "http://127.0.0.1:3100"};

std::string merged(const char* client, const std::string& existing) {
  const ClientRow* row = find_client(client);
  REQUIRE(row != nullptr);
  auto text = merged_text(*row, kConnection, existing);
  REQUIRE_MESSAGE(text.ok(), failure_text(text));
  auto again = merged_text(*row, kConnection, *text);
  REQUIRE(again.ok());
  CHECK_MESSAGE(*again == *text, "a second time changes nothing");
  return *text;
}

}  // namespace

TEST_CASE("every client's content is whole, and none is about a raw token") {
  CHECK(client_rows().size() >= 19);
  for (const ClientRow& row : client_rows()) {
    CAPTURE(row.name);
    const std::string text = client_text(row, kConnection);
    CHECK(text.find("@NAME@") == std::string::npos);
    CHECK(text.find('@' + std::string("URL")) == std::string::npos);
    CHECK(text.find("mcpctl_pat_") == std::string::npos);
    const bool via_bridge = row.via == TokenVia::kBridge || row.via == TokenVia::kProxy;
    CHECK(text.find(via_bridge ? "http://127.0.0.1:3100" : kConnection.url) != std::string::npos);
    if (row.via == TokenVia::kVariable) CHECK(text.find("MCPCTL_TOKEN_DEMO") != std::string::npos);
    if (row.format == ConfigFormat::kJson) CHECK(JsonDocument::parse(text, row.name).ok());
    if (row.format == ConfigFormat::kYaml) CHECK(read_yaml(text, row.name).ok());
  }
}

TEST_CASE("JSON: what is there and unknown stays, also in the entry") {
  const std::string text = merged("cursor", R"({"theme":"dark","big":12345678901234567890.5,
    "mcpServers":{"other":{"url":"http://o"},"demo":{"url":"http://old","timeout":5,"headers":{"X":"1"}}},"last":[1,2]})");
  const JsonDocument found = json(text);
  const JsonValue root = found.root();
  CHECK(root.text("theme") == "dark");
  CHECK(root.text("big") == "12345678901234567890.5");
  CHECK(root.get("last").size() == 2);
  CHECK(root.get("mcpServers").get("other").text("url") == "http://o");
  const JsonValue demo = root.get("mcpServers").get("demo");
  CHECK(demo.text("url") == kConnection.url);
  CHECK(demo.text("timeout") == "5");
  CHECK(demo.get("headers").text("X") == "1");
  CHECK(demo.get("headers").text("Authorization") == "Bearer ${env:MCPCTL_TOKEN_DEMO}");
  CHECK(root.key(0) == "theme");  // order stays
}

TEST_CASE("JSON: lists of objects grow by ours, command lines are replaced") {
  const JsonDocument code =
      json(merged("vscode", R"({"inputs":[{"id":"a","type":"x"},{"id":"demo-token","type":"old"}]})"));
  const JsonValue inputs = code.root().get("inputs");
  REQUIRE(inputs.size() == 2);
  CHECK(inputs.at(0).text("id") == "a");
  CHECK(inputs.at(1).text("type") == "promptString");
  const JsonDocument zed =
      json(merged("zed", R"({"context_servers":{"demo":{"command":"x","args":["a","b","c","d","e","f"]}}})"));
  CHECK(zed.root().get("context_servers").get("demo").get("args").size() == 5);
}

TEST_CASE("what cannot be understood is a failure, not a loss") {
  for (const char* text : {"{\"a\": 1, /* comment", "[1]", "{\"a\":1,\"a\":2}", "{", "{\"mcpServers\": [1]}",
                           "{\"mcpServers\": {\"demo\": 5}}", "{\"mcpServers\": {\"demo\": {\"command\": \"x\"}}}"}) {
    CAPTURE(text);
    CHECK_FALSE(merged_text(*find_client("cursor"), kConnection, text).ok());
  }
  CHECK_FALSE(
      merged_text(*find_client("lmstudio"), kConnection, R"({"mcpServers": {"demo": {"url": "http://x"}}})").ok());
  for (const char* text :
       {"mcp_servers = { }\n", "mcp_servers.demo.url = \"x\"\n", "\"mcp_servers\".demo.url = \"x\"\n",
        "[mcp_servers]\ndemo = { url = \"x\" }\n", "[mcp_servers]\n\"demo\".url = \"x\"\n", "[[mcp_servers]]\n",
        "[mcp_servers.demo]\ncommand = \"npx\"\n"}) {
    CAPTURE(text);
    CHECK_FALSE(merged_text(*find_client("codex"), kConnection, text).ok());
  }
  CHECK_FALSE(merged_text(*find_client("goose"), kConnection, "a: &x 1\nb: *x\n").ok());
}

TEST_CASE("JSON: comments, trailing commas and layout stay") {
  const std::string head = "// Zed settings\n{\n\t\"theme\": \"One // \\\" /* \", // theme\n\t/* block\n\t */\n";
  const std::string ours =
      "\t\t\"demo\": {\n\t\t\t\"source\": \"custom\",\n\t\t\t\"command\": \"mcpctl\",\n\t\t\t\"args\": "
      "[\n\t\t\t\t\"mcp\",\n"
      "\t\t\t\t\"-p\",\n\t\t\t\t\"demo\",\n\t\t\t\t\"--mcpd-url\",\n\t\t\t\t\"http://127.0.0.1:3100\"\n\t\t\t]\n\t\t}";
  CHECK(merged("zed", head + "\t\"context_servers\": {\n\t\t// mine\n\t\t\"other\": {\"command\": \"x\",}, // "
                             "last\n\t\t// end\n\t},\n}\n") ==
        head + "\t\"context_servers\": {\n\t\t// mine\n\t\t\"other\": {\"command\": \"x\",}, // last\n\t\t// end\n" +
            ours + ",\n\t},\n}\n");
  CHECK(merged("zed", head + "\t\"context_servers\": {\n\t\t\"other\": {} // last\n\t}\n}\n") ==
        head + "\t\"context_servers\": {\n\t\t\"other\": {}, // last\n" + ours + "\n\t}\n}\n");
  const std::string entry =
      "  \"mcpServers\": {\n    \"demo\": {\n      \"url\": \"http://127.0.0.1:3100/projects/demo/mcp\",\n      "
      "\"headers\": {\n"
      "        \"Authorization\": \"Bearer ${env:MCPCTL_TOKEN_DEMO}\"\n      }\n    }\n  }\n}";
  CHECK(merged("cursor", "{}") == "{\n" + entry);
  CHECK(merged("cursor", "{ \"a\": [1, 2.50] }") == "{ \"a\": [1, 2.50], \n" + entry);
  CHECK(merged("cursor", "{\n  // nothing yet\n}\n") == "{\n  // nothing yet\n" + entry + "\n");
  CHECK(merged("cursor", "// nothing yet") == "// nothing yet\n{\n" + entry + "\n");
  CHECK(merged("cursor", "\xEF\xBB\xBF{\r\n  \"a\": 1\r\n}\r\n")
            .starts_with("\xEF\xBB\xBF{\r\n  \"a\": 1,\r\n  \"mcpServers\": {\r\n"));
  // Only what is ours changes in an entry of that name.
  CHECK(merged("cursor",
               "{\"mcpServers\": {\"demo\": {\n  /* old */ \"url\": \"http://old\", \"timeout\": 5, // mine\n"
               "  \"headers\": {\"Authorization\": \"Bearer ${env:MCPCTL_TOKEN_DEMO}\",},},},}") ==
        "{\"mcpServers\": {\"demo\": {\n  /* old */ \"url\": \"http://127.0.0.1:3100/projects/demo/mcp\", \"timeout\": "
        "5, // mine\n"
        "  \"headers\": {\"Authorization\": \"Bearer ${env:MCPCTL_TOKEN_DEMO}\",},},},}");
}

TEST_CASE("TOML: values of several lines, other spellings of the table, what is below it") {
  const std::string text =
      merged("codex",
             "[ mcp_servers . \"demo\" ] # mine\nargs = [\n  [\"a\"], # ]\n]\nurl = \"\"\"\nhttp://old\"\"\"\n"
             "\"bearer_token_env_var\" = \"OLD\"\n[mcp_servers.demo.env]\nurl = \"kept\"\n");
  CHECK(text ==
        "[ mcp_servers . \"demo\" ] # mine\nurl = \"http://127.0.0.1:3100/projects/demo/mcp\"\nbearer_token_env_var = "
        "\"MCPCTL_TOKEN_DEMO\"\nargs = [\n  [\"a\"], # ]\n]\n[mcp_servers.demo.env]\nurl = \"kept\"\n");
  CHECK(merged("codex", "[mcp_servers]\nother = { url = \"x\" }\n")
            .starts_with("[mcp_servers]\nother = { url = \"x\" }\n\n[mcp_servers.demo]\n"));
}

TEST_CASE("YAML: comments and layout stay") {
  const std::string entry =
      "type: streamable-http\nurl: http://127.0.0.1:3100/projects/demo/mcp\nheaders:\n  Authorization: \"Bearer "
      "${MCPCTL_TOKEN_DEMO}\"\n";
  const auto indented = [&](const std::string& by) {
    std::string out;
    for (const std::string& line : split(entry, '\n'))
      if (!line.empty()) out += by + line + "\n";
    return out;
  };
  const std::string alone = "mcpServers:\n  demo:\n" + indented("    ");
  CHECK(merged("librechat", "") == alone);
  CHECK(merged("librechat", "# mine\n") == "# mine\n" + alone);
  CHECK(merged("librechat", "# mine\nversion: 1.2.1 # v") == "# mine\nversion: 1.2.1 # v\n" + alone);
  CHECK(merged("librechat", "mcpServers: # none\n# next\nversion: 1.2.1\n") ==
        "mcpServers: # none\n  demo:\n" + indented("    ") + "# next\nversion: 1.2.1\n");
  const std::string others =
      "mcpServers:\n    # mine\n    other:\n        url: x # why\n        note: |\n            # text\n    # end\n";
  CHECK(merged("librechat", others + "\n# next\nversion: 1.2.1\n") ==
        others + "    demo:\n" + indented("      ") + "\n# next\nversion: 1.2.1\n");
  // An entry of that name: its own keys stay, what is around it, too.
  const std::string text =
      merged("librechat", "mcpServers:\n  demo:\n    url: http://old\n    timeout: 5\n  # after\n  other: {url: x}\n");
  CHECK(text.ends_with("  # after\n  other: {url: x}\n"));
  const auto found = read_yaml(text, "x");
  REQUIRE(found.ok());
  CHECK(found->root().get("mcpServers").get("demo").text("timeout") == "5");
  CHECK(found->root().get("mcpServers").get("demo").text("url") == kConnection.url);
  // A layout that has to be written anew is refused when that would cost something.
  CHECK(read_yaml(merged("librechat", "mcpServers: {other: {url: x}}\n"), "x").ok());
  CHECK_FALSE(merged_text(*find_client("librechat"), kConnection, "mcpServers: {other: {url: x}} # mine\n").ok());
  CHECK_FALSE(merged_text(*find_client("librechat"), kConnection, "a: 1\n---\nb: 2\n").ok());
}

TEST_CASE("TOML: one table, all else as it was") {
  const std::string entry =
      "[mcp_servers.demo]\nurl = \"http://127.0.0.1:3100/projects/demo/mcp\"\nbearer_token_env_var = "
      "\"MCPCTL_TOKEN_DEMO\"\n";
  CHECK(merged("codex", "") == entry);
  CHECK(merged("codex", "model = \"m\" # mine\n") == "model = \"m\" # mine\n\n" + entry);
  const std::string text = merged(
      "codex",
      "model = \"m\"\nnote = \"\"\"\n[mcp_servers.demo]\nurl = \"in a text\"\n\"\"\"\n"
      "[mcp_servers.demo]\nurl = \"http://old\"\nenabled_tools = [\"a\"]\n\n[mcp_servers.other]\nurl = \"http://o\"\n");
  CHECK(text == "model = \"m\"\nnote = \"\"\"\n[mcp_servers.demo]\nurl = \"in a text\"\n\"\"\"\n" + entry +
                    "enabled_tools = [\"a\"]\n\n[mcp_servers.other]\nurl = \"http://o\"\n");
}

TEST_CASE("YAML: into what is there") {
  const auto found = read_yaml(merged("librechat", "version: 1.2.1\nmcpServers:\n  other:\n    url: http://o\n"), "x");
  REQUIRE(found.ok());
  CHECK(found->root().get("mcpServers").get("other").text("url") == "http://o");
  CHECK(found->root().get("mcpServers").get("demo").text("type") == "streamable-http");
}

TEST_CASE("places") {
  const Environment environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "HOME") return "/home/ada";
    return name == "CODEX_HOME" ? std::optional<std::string>("/codex") : std::nullopt;
  };
  CHECK(client_path("~/.x", environment) == "/home/ada/.x");
  CHECK(client_path("$XDG/y", environment) == "/home/ada/.config/y");
  CHECK(client_path("$CODEX/config.toml", environment) == "/codex/config.toml");
  CHECK(client_path("./.mcp.json", environment) == "./.mcp.json");
}

}  // namespace mcpctl
