// What is said when a connection opens, in both eras. No I/O.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "mcp/message.h"
#include "mcp/revision.h"

namespace mcptoken::mcp {

// What a client says about itself.
struct PeerIdentity {
  std::string client_info;         // raw JSON {"name","version"}
  uint32_t capabilities = 0;       // mask
};

// What the opening told about the server.
struct PeerInfo {
  Era era = Era::legacy;
  std::string revision;
  std::string capabilities = "{}";  // raw JSON
  std::string server_info = "{}";   // raw JSON
  std::string instructions;
  std::string session_id;           // legacy HTTP, "" when the server gave none
};

// Whether the server has declared that capability ("prompts").
bool declares(const PeerInfo& info, std::string_view capability);
// Whether it says when one of its lists changes.
bool announces_changes(const PeerInfo& info);

// Params of the opening requests (complete JSON objects).
std::string initialize_params(const PeerIdentity& identity, std::string_view revision);
std::string discover_params(const PeerIdentity& identity);
std::string modern_meta(const PeerIdentity& identity);  // the `_meta` object alone

// What an answer to server/discover says about the era. Errors: modern, but nothing that we could speak.
Result<Era> judge_discover(const Message& answer);
// Status::protocol when the answer is no result, or a revision that we do not speak.
Result<PeerInfo> read_initialize_result(const Message& answer);
Result<PeerInfo> read_discover_result(const Message& answer);

}  // namespace mcptoken::mcp
