// Results that are the gateway's own, in the form that the client's era wants.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/endpoint.h"

namespace mcptoken::gateway {

// The complete response. `members`: raw JSON of the result's own members, with commas between them, not empty.
std::string own_result(const Exchange& exchange, const Client& client, std::string_view id, std::string_view members);

struct ToolText {
  explicit ToolText(std::vector<std::string> texts_in) : texts(std::move(texts_in)) {}
  std::vector<std::string> texts;
  bool is_error = false;
  std::string structured;  // raw JSON, "" for none
};
// Members of a result of tools/call.
std::string tool_members(const ToolText& answer);

}  // namespace mcptoken::gateway
