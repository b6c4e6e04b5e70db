#include "gateway/plugins/own_result.h"

#include "json/writer.h"
#include "mcp/rewrite.h"

namespace mcptoken::gateway {

std::string own_result(const Exchange& exchange, const Client& client, std::string_view id, std::string_view members) {
  std::string result = "{";
  result.append(members);
  if (client.era == mcp::Era::modern) {
    result.append(R"(,"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":)");
    result.append(server_info(exchange)).append("}");
  }
  result.push_back('}');
  return mcp::result_message(id, result);
}

std::string tool_members(const ToolText& answer) {
  std::string out = "\"content\":[";
  for (const std::string& text : answer.texts) {
    if (out.back() != '[') out.push_back(',');
    out.append(R"({"type":"text","text":)");
    json::append_quoted(out, text);
    out.push_back('}');
  }
  out.push_back(']');
  if (!answer.structured.empty()) out.append(",\"structuredContent\":").append(answer.structured);
  if (answer.is_error) out.append(",\"isError\":true");
  return out;
}

}  // namespace mcptoken::gateway
