// What a request that goes to one server asks for: a tool, a prompt, a resource, or a completion for one of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/kinds.h"
#include "gateway/plugins/model.h"
#include "json/edit.h"
#include "mcp/message.h"
#include "mcp/revision.h"

namespace mcptoken::gateway {

// A method of such requests. One of the rows of a table, and compared by its address.
struct Routed {
  std::string_view method;
  std::string_view member;  // of params, which says what is asked for
  Kind kind;
  std::optional<ContentType> content;  // of the answer
};
const Routed& routed(std::string_view method);

struct Subject {
  Kind kind = Kind::tools;
  std::string key;        // the tool's or prompt's name or the URI, as the client calls it
  json::Range key_range;  // of its value in the member's raw JSON
};
// Invalid params when the request does not say.
Result<Subject> read_subject(const Routed& route, const mcp::Message& message);

// The audit log's name of what is asked for: tools by their name, all else with the method. What follows the path of a URI
// may be a secret, and is left out.
std::string subject_text(const Routed& route, Kind kind, std::string_view key);

inline constexpr int64_t kResourceNotFound = -32002;  // up to 2025-11-25; invalid params later
Error unknown_key(Kind kind, std::string_view key, mcp::Era era);  // what may not be used looks the same

}  // namespace mcptoken::gateway
