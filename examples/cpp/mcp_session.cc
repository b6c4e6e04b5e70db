// Calls a tool of an MCP server: mcp_session URL [TOOL [ARGUMENTS]] < TOKEN. Without a tool it lists what there is.
#include <iostream>
#include <string>

#include <mcptoken/mcptoken.hpp>

int main(int argc, char** argv) {
  std::string token;
  if (argc < 2 || !std::getline(std::cin, token))
    return std::cerr << "usage: mcp_session URL [TOOL [ARGUMENTS]] < TOKEN\n", 2;
  try {
    mcptoken::Session session(argv[1], token);
    session.introduce("mcp-session", "1.0");
    session.on_notification([](std::string_view json) { std::cerr << json << '\n'; });
    session.connect();
    if (argc > 2) {
      const mcptoken::json::Document result(session.call_tool(argv[2], argc > 3 ? argv[3] : "{}"));
      const auto content = result.root()["content"];
      for (size_t i = 0; i < content.size(); ++i)
        std::cout << content.at(i)["text"].text() << '\n';
      session.close();
      return result.root()["isError"].boolean() ? 1 : 0;
    }
    const mcptoken::json::Document list(session.list_tools());
    const auto tools = list.root()["tools"];
    for (size_t i = 0; i < tools.size(); ++i)
      std::cout << tools.at(i)["name"].text() << '\n';
    session.close();
    return 0;
  } catch (const mcptoken::Error& error) {
    std::cerr << error.name() << ": " << error.what() << '\n';
    return 2;
  }
}
