// MCP requests of clients. Both eras at one URL; the era is decided once, on the body.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/answer.h"
#include "gateway/control_plane.h"
#include "gateway/meter.h"
#include "gateway/responder.h"
#include "gateway/session_id.h"
#include "gateway/site.h"
#include "http/fields.h"
#include "mcp/message.h"
#include "mcp/trace.h"

namespace mcptoken::gateway {

struct HttpRequest {
  std::string method;
  http::Fields headers;
  std::string body;

  // The one value of a header; nothing when it is absent. More than one: `repeated` is set.
  std::optional<std::string_view> header(std::string_view name, bool* repeated = nullptr) const { return headers.find(name, repeated); }
};

// What is left of a request whose answer is a stream without an end of its own, when its handling has returned: message,
// headers and frames have gone by then, for most of these streams are idle for hours.
class Standing {
 public:
  virtual ~Standing() = default;
  // The link's scope is cancelled: says so to the client and ends the stream. Destroyed soon afterwards.
  virtual void end(const Error& reason) = 0;
};

// Ties a request to what can end it. `scope` is cancelled by revocation and drain, and by the client's going as far as
// `cancel_on_close` says: a legacy client's broken connection does not cancel its call (2025-11-25, transports).
struct Link {
  Link() = default;
  loop::Scope scope;
  bool cancel_on_close = true;
  std::string method, subject;  // what was asked for, for whoever logs it; never arguments
  mcp::Trace trace;
  bool late = false;  // came while the server stops: what servers were waiting for is taken, and nothing begins
  bool listens = false;  // a stream without end of its own: the first to go when the server stops
  // Of a stream that listens: what the caller sees of the project may be other than it was.
  std::function<void(std::shared_ptr<const ProjectView>)> follow;
  // Set before the handling returns; the host keeps it until the stream has ended. Last: it uses the rest.
  std::unique_ptr<Standing> standing;
};

// Answers one request; resolves when the answer is complete, or when what is left of it stands in the link. All
// arguments outlive the task, site, responder and link also what stands.
loop::Task<Result<void>> serve(Site& site, const Caller& caller, HttpRequest& request, Responder& responder, Link& link);

// --- shared by the files of this part
struct Exchange {
  Exchange(Site& site_in, const Caller& caller_in, HttpRequest& request_in, Responder& responder_in, Link& link_in)
      : site(site_in), caller(caller_in), request(request_in), responder(responder_in), link(link_in), operation(site_in.meter) {}
  Site& site;
  const Caller& caller;
  HttpRequest& request;
  Responder& responder;
  Link& link;
  Operation operation;
};

using MessagePtr = std::shared_ptr<const mcp::Message>;

// What the era knows about the client of one request.
struct Client {
  mcp::Era era = mcp::Era::legacy;
  SessionPtr session;                // legacy, when the client has one
  uint32_t capabilities = 0;         // what a server may ask of it while a call runs
  uint32_t declared = 0;             // what it can be asked for at all, also by an answer that has to be followed up
  std::string name, version;
  std::string progress_token;        // raw JSON, "" for none
  std::string log_level;             // "" for what the era does by default
};

// Of a POST; asked before its body is read, too. 415 with a JSON-RPC code.
Result<void> judge_content_type(const http::Fields& headers);
bool accepts(const HttpRequest& request, std::string_view media_type);
void refuse(Exchange& exchange, std::string_view id, const Error& error, int http);
// The same where an Answer has begun.
void refuse(Exchange& exchange, Answer& answer, std::string_view id, const Error& error);
// A status without a JSON-RPC body.
void respond_plain(Exchange& exchange, int status, Headers headers = {});
std::string server_info(const Exchange& exchange);  // raw JSON
CallRecord record_of(const Exchange& exchange, const Client& client, std::string_view subject);

// The era of a request whose body names no revision, by its MCP-Protocol-Version header; without one it is the older. Invalid
// request for two such headers, and for a revision that is not served.
Result<mcp::Era> era_by_header(const HttpRequest& request);
// The message of a POST, or one of several: judged and handed to its era. `id` is that of a message that cannot be read.
loop::Task<Result<void>> serve_message(Exchange& exchange, Result<mcp::Message> parsed, std::string id);
loop::Task<Result<void>> serve_batch(Exchange& exchange);
// `progress_token`: of the message, raw JSON.
loop::Task<Result<void>> serve_legacy(Exchange& exchange, MessagePtr message, std::string progress_token);
loop::Task<Result<void>> serve_modern(Exchange& exchange, MessagePtr message, mcp::ClientMeta meta);
// Of a GET or DELETE, which legacy sessions alone have; false: it is answered.
bool admit_to_session(Exchange& exchange);
loop::Task<Result<void>> listen_legacy(Exchange& exchange);
loop::Task<Result<void>> end_legacy(Exchange& exchange);
CallerShare share_of(const Exchange& exchange, const Client& client);

Result<SessionPtr> session_of(const Exchange& exchange);  // nothing without a header; 400 for two, 404 for a foreign one
Error too_many_sessions();

using Handler = loop::Task<Result<void>> (*)(Exchange& exchange, Client& client, MessagePtr message, Answer& answer);
Handler find_legacy_handler(std::string_view method);  // nullptr: no such method
Handler find_modern_handler(std::string_view method);
loop::Task<Result<void>> listen_modern(Exchange& exchange, const Client& client, MessagePtr message);
loop::Task<Result<void>> serve_set_level(Exchange& exchange, Client& client, MessagePtr message, Answer& answer);
loop::Task<Result<void>> serve_subscription(Exchange& exchange, Client& client, MessagePtr message, Answer& answer);
loop::Task<Result<void>> serve_list(Exchange& exchange, Client& client, MessagePtr message, Answer& answer);
loop::Task<Result<void>> serve_call(Exchange& exchange, Client& client, MessagePtr message, Answer& answer);
// What we declare. The lists change when those of a server do, or the project's configuration.
inline constexpr std::string_view kServerCapabilities =
    R"({"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"listChanged":true,"subscribe":true},)"
    R"("completions":{},"logging":{}})";

}  // namespace mcptoken::gateway
