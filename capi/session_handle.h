// The session's files: session_c.cc and call_c.cc are the functions, session_request.cc and
// session_list.cc what goes over the wire, session_events.cc what comes from the server meanwhile, session_call.cc what
// is under way.
//
// Invariants: everything runs on the session's private loop, which whoever is inside a function of the session or of
// one of its calls turns. A call outlives its session as an empty shell.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "capi/blocking.h"
#include "crypto/secret.h"
#include "mcp/http_peer.h"
#include "mcp/param_header.h"
#include "mcptoken/session.h"

namespace mcptoken::capi {

// The time of a call. One that is over while nobody turned the loop does not count before what has come is looked at.
class CallClock final : loop::Deadlines::Node {
 public:
  CallClock(loop::Loop& loop, loop::Scope& scope, int64_t timeout_ms)
      : loop_(loop), scope_(scope), timeout_ms_(timeout_ms) {
    restart();
  }
  void restart() {
    late_.reset();
    loop_.deadlines().arm(*this, timeout_ms_);
  }

 private:
  void on_deadline() override;
  loop::Loop& loop_;
  loop::Scope& scope_;
  int64_t timeout_ms_;
  std::shared_ptr<int> late_;  // while the last look is taken
};

// A request that is under way, or has ended and nobody has asked yet what came of it.
struct SessionCall {
  SessionCall(mcptoken_session& session_in, mcp::Message request_in);
  void cancel(Error reason);

  std::shared_ptr<Blocking> blocking;
  mcptoken_session* session;  // of use while `blocking` can be entered, and in its turns
  const mcp::Message request;
  bool freed = false;  // by the host: nobody will ask
  std::optional<Result<std::string>> outcome;
  bool told = false;
  std::unique_ptr<CallClock> clock;
  std::unique_ptr<loop::Group> group;  // until there is an outcome. Last: its task uses everything above
};

// What a progress token of ours stands for towards the host, in raw JSON; ours differ among all calls of a session.
using ProgressTokens = std::map<std::string, std::string, std::less<>>;

}  // namespace mcptoken::capi

struct mcptoken_call {
  std::shared_ptr<mcptoken::capi::SessionCall> call;
};

struct mcptoken_session {
  // Ends what is under way, and lets the server know, as far as that takes no time.
  ~mcptoken_session();

  std::shared_ptr<mcptoken::capi::Blocking> blocking;
  mcptoken::http::Url url;
  mcptoken::crypto::Secret bearer;
  mcptoken::mcp::EraChoice era = mcptoken::mcp::EraChoice::probe;
  mcptoken::mcp::PeerIdentity identity;
  std::unique_ptr<mcptoken::mcp::Events> events;  // what comes from the server, for the host
  std::unique_ptr<mcptoken::mcp::HttpPeer> peer;  // made of the above, anew when that changes before connect
  int64_t timeout_ms = mcptoken::capi::kDefaultMs;
  bool connected = false;
  mcptoken_notification_fn on_notification = nullptr;
  void* user_data = nullptr;
  mcptoken_input_fn on_input = nullptr;
  void* input_data = nullptr;
  bool asking = false;               // while on_input runs
  std::optional<std::string> reply;  // what it has said
  int64_t tokens = 0;                // how many progress tokens there were
  mcptoken::capi::ProgressTokens progress;
  // Marks of the tools of the last list. Without a list a call goes without headers until a server insists on them.
  std::map<std::string, mcptoken::mcp::ParamHeaders, std::less<>> param_headers;
  // What a legacy server says and asks that belongs to no call. Its task uses everything above, as those below do.
  std::unique_ptr<mcptoken::loop::Group> stream;
  bool has_no_stream = false;  // the server has refused one: it is not asked at every call
  std::vector<std::shared_ptr<mcptoken::capi::SessionCall>> calls;
};

namespace mcptoken::capi {

// --- session_events.cc
std::unique_ptr<mcp::Events> host_events(mcptoken_session& session);
// A notification, whatever it came with.
void tell_host(mcptoken_session& session, mcp::Message message);
// Sees to it that a legacy server finds somebody to tell of changes, and to ask. A server without such a stream asks on the call's own.
// `waits`: until it is open, so that no question comes before it.
loop::Task<Result<void>> open_stream(mcptoken_session& session, bool waits, loop::Scope& scope);

// --- session_request.cc
// `params`: a JSON object, or "".
Result<mcp::Message> session_message(std::string_view method, std::string_view params);
// A request with all its rounds of questions: the result, raw JSON. A JSON-RPC error is an error. `request` outlives
// it.
loop::Task<Result<std::string>> session_request(mcptoken_session& session, const mcp::Message& request,
                                                loop::Scope& scope);
// The same, but for a tool call that a modern server wants other headers for.
loop::Task<Result<std::string>> session_ask(mcptoken_session& session, const mcp::Message& request, loop::Scope& scope);
// A notification, until the server has taken it.
loop::Task<Result<void>> session_notify(mcptoken_session& session, std::string text, loop::Scope& scope);
// What a failed negotiation or call says, with the server's own words where it sent some.
Error explain(Error error);

// --- session_list.cc
// All pages as one result: the first page's members as they came, with the arrays joined.
loop::Task<Result<std::string>> session_list_tools(mcptoken_session& session, loop::Scope& scope);

// --- session_call.cc
Result<void> check_connected(mcptoken_session* session);
Result<void> check_object(std::string_view json, const char* name);
// Begins it in the session's loop, without a turn of that.
std::shared_ptr<SessionCall> begin_call(mcptoken_session& session, mcp::Message request);
// Nobody will ask for it any more.
void forget_call(SessionCall& call);
// After `reason` to end all calls, and to give what is on its way to the server a moment.
void end_calls(mcptoken_session& session, const Error& reason);
void settle(mcptoken_session& session, int64_t most_ms);

// One operation of the session, within its time. work: (Scope&) -> Task<Result<T>>
template <class T, class Work>
Result<T> run(mcptoken_session& session, Work&& work) {
  constexpr int64_t kSettleMs = 250;
  auto result = session.blocking->run<T>(session.timeout_ms, std::forward<Work>(work));
  settle(session, std::min(kSettleMs, session.timeout_ms));
  if (!result) return fail(explain(std::move(result).error()));
  return result;
}

}  // namespace mcptoken::capi
