// The session behind mcptoken_session: requests to their end, with the server's questions answered by the host.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "capi/blocking.h"
#include "crypto/secret.h"
#include "mcp/http_peer.h"
#include "mcp/param_header.h"
#include "mcptoken/session.h"

struct mcptoken_session {
  std::unique_ptr<mcptoken::capi::Blocking> blocking;
  mcptoken::http::Url url;
  mcptoken::crypto::Secret bearer;
  mcptoken::mcp::EraChoice era = mcptoken::mcp::EraChoice::probe;
  mcptoken::mcp::PeerIdentity identity;
  std::unique_ptr<mcptoken::mcp::HttpPeer> peer;  // made of the above, anew when that changes before connect
  int64_t timeout_ms = mcptoken::capi::kDefaultMs;
  bool connected = false;
  mcptoken_notification_fn on_notification = nullptr;
  void* user_data = nullptr;
  mcptoken_input_fn on_input = nullptr;
  void* input_data = nullptr;
  bool asking = false;               // while on_input runs
  std::optional<std::string> reply;  // what it has said
  // Marks of the tools of the last list. Without a list a call goes without headers until a server insists on them.
  std::map<std::string, mcptoken::mcp::ParamHeaders, std::less<>> param_headers;
  std::unique_ptr<mcptoken::mcp::Events> host;  // of the stream below
  // A legacy server may ask on the stream that belongs to no call. Last: its task uses everything above.
  std::unique_ptr<mcptoken::loop::Group> stream;
};

namespace mcptoken::capi {

// A request with all its rounds of questions: the result, raw JSON. `params`: a JSON object, or "". A JSON-RPC error is
// an error.
Result<std::string> session_request(mcptoken_session& session, const std::string& method, const std::string& params);
// All pages as one result: the first page's members, with the arrays joined.
Result<std::string> session_list_tools(mcptoken_session& session);
// What a failed negotiation or call says, with the server's own words where it sent the control plane's error shape.
Error explain(Error error);

}  // namespace mcptoken::capi
