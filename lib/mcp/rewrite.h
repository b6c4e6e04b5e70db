// The edits that carry a message from one hop to the next. Nothing is rebuilt: params and results keep their bytes but for
// the members that the hop owns.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "json/edit.h"
#include "mcp/message.h"

namespace mcptoken::mcp {

// What the next hop is to read in `_meta`.
struct HopMeta {
  Era era = Era::legacy;
  std::string_view capabilities = "{}";  // raw JSON, modern only
  std::string_view client_info;          // raw JSON, modern only
  std::string_view log_level;            // modern only, "" for none
  std::string_view progress_token;       // raw JSON, "" for none
  std::string_view trace_parent, trace_state;  // of the request's headers, for when it has none itself
};

// The `_meta` object for the next hop: trace and vendor members of the original are kept, the protocol's own are replaced.
// "" when nothing is left to say.
std::string hop_meta(const Message& message, const HopMeta& hop);

// A member of params that the next hop is to read otherwise.
struct ParamEdit {
  std::string member;
  std::string json;  // its value; "": it goes
};

// Params of a request for the next hop, as pieces that borrow from `message` and from this object (which must not move).
class HopParams {
 public:
  HopParams(const Message& message, const HopMeta& hop) : HopParams(message, hop, {}) {}
  HopParams(const Message& message, const HopMeta& hop, std::span<const ParamEdit> edits);
  HopParams(const HopParams&) = delete;
  HopParams& operator=(const HopParams&) = delete;
  const std::vector<std::string_view>& pieces() const { return pieces_; }  // one JSON object

 private:
  std::string meta_;
  json::Edits edits_;
  std::vector<std::string_view> pieces_;
};

// A result or error message for the client: its own id, and the members that its era knows.
struct ClientHop {
  Era era = Era::legacy;
  std::string_view id;           // raw JSON
  std::string_view server_info;  // raw JSON, modern only
  bool cacheable = false;        // modern: the result must say for how long and for whom; only for this client
  std::string_view meta;         // raw JSON: what the result's `_meta` is to be read as, "" as it is
  std::vector<json::Edit> edits; // of the message's text, inside what is not the hop's own
};
std::string to_client(const Message& reply, const ClientHop& hop);
// Of a message that is relayed: what is beside the members of JSON-RPC is the hop's own affair, and goes.
void drop_unknown_members(const Message& message, json::Edits& edits);

// {"jsonrpc":"2.0","id":…,"error":{…}} from an Error that has (or gets) a JSON-RPC code.
std::string error_message(std::string_view id, const Error& error);
// {"jsonrpc":"2.0","id":…,"result":…}
std::string result_message(std::string_view id, std::string_view result);
// {"jsonrpc":"2.0","method":…,"params":…}; params "" for none.
std::string notification(std::string_view method, std::string_view params);
// The head of a request up to its params, `{"jsonrpc":"2.0","id":7,"method":"x","params":`; close with "}".
std::string request_head(std::string_view id, std::string_view method, bool has_params);

}  // namespace mcptoken::mcp
