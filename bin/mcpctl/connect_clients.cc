// The table of clients: files, fields and spellings as the clients' own programs write and read them.
#include <algorithm>

#include "connect.h"

namespace mcpctl {
namespace {

constexpr const char* kBridgeJson =
    R"({"mcpServers":{"@NAME@":{"command":"mcpctl","args":["mcp","-p","@PROJECT@","--mcpd-url","@SERVER@"]}}})";

const std::vector<ClientRow> kClients = {
    {"claude-code", "Claude Code", ConfigFormat::kJson, TokenVia::kVariable, "~/.claude.json", "./.mcp.json",
     R"({"mcpServers":{"@NAME@":{"type":"http","url":"@URL@","headers":{"Authorization":"Bearer ${@VARIABLE@}"}}}})",
     "A file .mcp.json waits for your approval in that folder."},
    {"claude-desktop", "Claude Desktop", ConfigFormat::kJson, TokenVia::kBridge,
     "$XDG/Claude/claude_desktop_config.json", nullptr, kBridgeJson, ""},
    {"codex", "Codex", ConfigFormat::kToml, TokenVia::kVariable, "$CODEX/config.toml", nullptr,
     "[mcp_servers.@NAME@]\nurl = \"@URL@\"\nbearer_token_env_var = \"@VARIABLE@\"\n", ""},
    {"opencode", "opencode", ConfigFormat::kJson, TokenVia::kVariable, "$XDG/opencode/opencode.json", "./opencode.json",
     R"({"$schema":"https://opencode.ai/config.json","mcp":{"@NAME@":{"type":"remote","url":"@URL@","enabled":true,"oauth":false,)"
     R"("headers":{"Authorization":"Bearer {env:@VARIABLE@}"}}}})",
     ""},
    {"gemini", "Gemini CLI", ConfigFormat::kJson, TokenVia::kVariable, "~/.gemini/settings.json",
     "./.gemini/settings.json",
     R"({"mcpServers":{"@NAME@":{"httpUrl":"@URL@","headers":{"Authorization":"Bearer ${@VARIABLE@}"}}}})",
     "Servers are used in folders that you trust."},
    {"qwen", "Qwen Code", ConfigFormat::kJson, TokenVia::kVariable, "~/.qwen/settings.json", "./.qwen/settings.json",
     R"({"mcpServers":{"@NAME@":{"httpUrl":"@URL@","headers":{"Authorization":"Bearer ${@VARIABLE@}"}}}})", ""},
    {"cursor", "Cursor", ConfigFormat::kJson, TokenVia::kVariable, "~/.cursor/mcp.json", "./.cursor/mcp.json",
     R"({"mcpServers":{"@NAME@":{"url":"@URL@","headers":{"Authorization":"Bearer ${env:@VARIABLE@}"}}}})", ""},
    {"vscode", "VS Code", ConfigFormat::kJson, TokenVia::kPrompt, "$XDG/Code/User/mcp.json", "./.vscode/mcp.json",
     R"({"inputs":[{"type":"promptString","id":"@NAME@-token","description":"Token of project @PROJECT@","password":true}],)"
     R"("servers":{"@NAME@":{"type":"http","url":"@URL@","headers":{"Authorization":"Bearer ${input:@NAME@-token}"}}}})",
     "VS Code asks for the token once and keeps it."},
    {"windsurf", "Windsurf", ConfigFormat::kJson, TokenVia::kVariable, "~/.codeium/windsurf/mcp_config.json", nullptr,
     R"({"mcpServers":{"@NAME@":{"serverUrl":"@URL@","headers":{"Authorization":"Bearer ${env:@VARIABLE@}"}}}})", ""},
    {"zed", "Zed", ConfigFormat::kJson, TokenVia::kBridge, "$XDG/zed/settings.json", "./.zed/settings.json",
     R"({"context_servers":{"@NAME@":{"source":"custom","command":"mcpctl","args":["mcp","-p","@PROJECT@","--mcpd-url","@SERVER@"]}}})",
     ""},
    {"goose", "Goose", ConfigFormat::kYaml, TokenVia::kBridge, "$XDG/goose/config.yaml", nullptr,
     R"({"extensions":{"@NAME@":{"name":"@NAME@","type":"stdio","enabled":true,"timeout":300,"cmd":"mcpctl",)"
     R"("args":["mcp","-p","@PROJECT@","--mcpd-url","@SERVER@"]}}})",
     ""},
    {"cline", "Cline", ConfigFormat::kJson, TokenVia::kBridge,
     "$XDG/Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json", nullptr,
     R"({"mcpServers":{"@NAME@":{"type":"stdio","command":"mcpctl","args":["mcp","-p","@PROJECT@","--mcpd-url","@SERVER@"],"disabled":false}}})",
     ""},
    {"librechat", "LibreChat", ConfigFormat::kYaml, TokenVia::kVariable, nullptr, "./librechat.yaml",
     R"({"mcpServers":{"@NAME@":{"type":"streamable-http","url":"@URL@","headers":{"Authorization":"Bearer ${@VARIABLE@}"}}}})",
     "The variable goes into LibreChat's .env."},
    {"open-webui", "Open WebUI", ConfigFormat::kText, TokenVia::kVariable, nullptr, nullptr,
     "export TOOL_SERVER_CONNECTIONS='[{\"type\":\"mcp\",\"url\":\"@URL@\",\"path\":\"\",\"auth_type\":\"bearer\","
     "\"key\":\"'\"$@VARIABLE@\"'\",\"config\":{\"enable\":true},\"info\":{\"id\":\"@NAME@\",\"name\":\"@NAME@\"}}]'\n",
     "In the environment in which Open WebUI starts; or on its page Admin, External Tools."},
    {"lmstudio", "LM Studio", ConfigFormat::kJson, TokenVia::kBridge, "~/.lmstudio/mcp.json", nullptr, kBridgeJson, ""},
    {"mcporter", "mcporter", ConfigFormat::kJson, TokenVia::kVariable, "~/.mcporter/mcporter.json",
     "./config/mcporter.json",
     R"({"mcpServers":{"@NAME@":{"baseUrl":"@URL@","headers":{"Authorization":"Bearer ${@VARIABLE@}"}}}})", ""},
    {"openai-agents", "OpenAI Agents SDK", ConfigFormat::kText, TokenVia::kVariable, nullptr, nullptr,
     "# Python: pip install openai-agents\nimport os\nfrom agents.mcp import MCPServerStreamableHttp\n\n"
     "server = MCPServerStreamableHttp(\n    name=\"@NAME@\",\n    params={\"url\": \"@URL@\",\n"
     "            \"headers\": {\"Authorization\": f\"Bearer {os.environ['@VARIABLE@']}\"}},\n    "
     "cache_tools_list=True,\n)\n\n"
     "// JavaScript: npm install @openai/agents\nimport { MCPServerStreamableHttp } from '@openai/agents';\n\n"
     "const server = new MCPServerStreamableHttp({\n  name: '@NAME@',\n  url: '@URL@',\n"
     "  requestInit: { headers: { Authorization: `Bearer ${process.env.@VARIABLE@}` } },\n});\n",
     ""},
    {"langchain", "LangChain", ConfigFormat::kText, TokenVia::kVariable, nullptr, nullptr,
     "# Python: pip install langchain-mcp-adapters\nimport os\nfrom langchain_mcp_adapters.client import "
     "MultiServerMCPClient\n\n"
     "client = MultiServerMCPClient({\n    \"@NAME@\": {\n        \"transport\": \"streamable_http\",\n        "
     "\"url\": \"@URL@\",\n"
     "        \"headers\": {\"Authorization\": f\"Bearer {os.environ['@VARIABLE@']}\"},\n    }\n})\n\n"
     "// JavaScript: npm install @langchain/mcp-adapters\nimport { MultiServerMCPClient } from "
     "'@langchain/mcp-adapters';\n\n"
     "const client = new MultiServerMCPClient({\n  mcpServers: {\n    '@NAME@': {\n      transport: 'http',\n      "
     "url: '@URL@',\n"
     "      headers: { Authorization: `Bearer ${process.env.@VARIABLE@}` },\n      automaticSSEFallback: false,\n    "
     "},\n  },\n});\n",
     ""},
    {"ai-sdk", "AI SDK", ConfigFormat::kText, TokenVia::kVariable, nullptr, nullptr,
     "// npm install @ai-sdk/mcp\nimport { createMCPClient } from '@ai-sdk/mcp';\n\nconst client = await "
     "createMCPClient({\n"
     "  transport: {\n    type: 'http',\n    url: '@URL@',\n"
     "    headers: { Authorization: `Bearer ${process.env.@VARIABLE@}` },\n  },\n});\n",
     ""},
    {"vllm", "vLLM and SGLang", ConfigFormat::kText, TokenVia::kProxy, nullptr, nullptr,
     "mcpctl proxy -p @PROJECT@ --mcpd-url @SERVER@ --listen 127.0.0.1:8200 &\nvllm serve MODEL --tool-server "
     "127.0.0.1:8200\n"
     "python -m sglang.launch_server --model-path MODEL --tool-server 127.0.0.1:8200\n",
     "Both send no header when they list tools, so that the proxy adds the token."},
};

}  // namespace

const std::vector<ClientRow>& client_rows() { return kClients; }

const ClientRow* find_client(std::string_view name) {
  const auto found =
      std::find_if(kClients.begin(), kClients.end(), [name](const ClientRow& row) { return name == row.name; });
  return found == kClients.end() ? nullptr : &*found;
}

}  // namespace mcpctl
