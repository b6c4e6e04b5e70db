// MCP requests of clients. Both eras at one URL; the era is decided once, on the body.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/answer.h"
#include "gateway/control_plane.h"
#include "gateway/responder.h"
#include "gateway/session_id.h"
#include "gateway/site.h"
#include "mcp/message.h"

namespace mcptoken::gateway {

struct HttpRequest {
  std::string method;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;

  // The one value of a header; nothing when it is absent. More than one: `repeated` is set.
  const std::string* header(std::string_view name, bool* repeated = nullptr) const;
};

// Ties a request to what can end it. `scope` is cancelled by revocation and drain, and by the client's going as far as
// `cancel_on_close` says: a legacy client's broken connection does not cancel its call (2025-11-25, transports).
struct Link {
  Link() = default;
  loop::Scope scope;
  bool cancel_on_close = true;
  bool listens = false;  // a stream without end of its own: the first to go when the server stops
};

// Answers one request; resolves when the answer is complete. All arguments outlive the task.
loop::Task<Result<void>> serve(Site& site, const Caller& caller, HttpRequest& request, Responder& responder, Link& link);

// --- shared by the files of this part
struct Exchange {
  Exchange(Site& site_in, const Caller& caller_in, HttpRequest& request_in, Responder& responder_in, Link& link_in)
      : site(site_in), caller(caller_in), request(request_in), responder(responder_in), link(link_in) {}
  Site& site;
  const Caller& caller;
  HttpRequest& request;
  Responder& responder;
  Link& link;
};

using MessagePtr = std::shared_ptr<const mcp::Message>;

// What the era knows about the client of one request.
struct Client {
  mcp::Era era = mcp::Era::legacy;
  std::optional<SessionId> session;  // legacy, when the client has one
  uint32_t capabilities = 0;         // that can be relayed to it
  std::string name, version;
  std::string progress_token;        // raw JSON, "" for none
  std::string log_level;             // modern
};

bool accepts(const HttpRequest& request, std::string_view media_type);
void refuse(Exchange& exchange, std::string_view id, const Error& error, int http);
// A status without a JSON-RPC body.
void respond_plain(Exchange& exchange, int status, Headers headers = {});
std::string server_info(const Exchange& exchange);  // raw JSON
CallRecord record_of(const Exchange& exchange, const Client& client, std::string_view subject);

loop::Task<Result<void>> serve_legacy(Exchange& exchange, MessagePtr message);
loop::Task<Result<void>> serve_modern(Exchange& exchange, MessagePtr message, mcp::ClientMeta meta);
loop::Task<Result<void>> listen_legacy(Exchange& exchange);
loop::Task<Result<void>> end_legacy(Exchange& exchange);
loop::Task<Result<void>> list_tools(Exchange& exchange, Client& client, MessagePtr message, Answer& answer);
loop::Task<Result<void>> call_tool(Exchange& exchange, Client& client, MessagePtr message, Answer& answer);

}  // namespace mcptoken::gateway
