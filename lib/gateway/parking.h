// Calls of modern clients on servers of the legacy era, which ask while they work. A modern client is asked by the answer
// and calls again with what it was asked for (2026-07-28, multi round-trip requests): meanwhile the server's call is parked,
// on the loop where it began.
//
// Invariants:
//  1. A parked call is found by its id and its principal and what it is a call of: the id alone leads nowhere.
//  2. One request at a time waits for it. When that request ends without an answer, its client has gone: so does the call.
//  3. What nobody comes back for ends after limits::kAskMs; the server is told that it was cancelled.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "gateway/upstreams.h"
#include "loop/task.h"
#include "mcp/peer.h"

namespace mcptoken::gateway {

// Whose call it is.
struct ParkedFor {
  std::shared_ptr<const rbac::Principal> who;
  std::string target;         // what is called, down to the server and the name there
  uint32_t capabilities = 0;  // what the client can be asked for
};

// How far a call has come: it is answered, or the client is asked.
struct Turn {
  std::optional<UpstreamAnswer> answer;
  std::string requests;  // `inputRequests`, raw JSON
  std::string id;        // to go on with, on the loop of this index
  size_t loop = 0;
};

class Parking {
 public:
  explicit Parking(Site& site) : site_(site) {}

  // `events` hears notifications until the task ends. limit: the principal has too many calls parked.
  loop::Task<Result<Turn>> begin(ParkedFor whose, UpstreamCall call, mcp::Events* events, loop::Scope& scope);
  // `responses`: raw JSON of `inputResponses`, "" for none; who leaves some out is asked again. not_found: no such call of
  // this principal; invalid: the responses are no object of objects.
  loop::Task<Result<Turn>> resume(std::string id, ParkedFor whose, std::string responses, mcp::Events* events,
                                  loop::Scope& scope);
  // Names a connection that no other call of the principal is using now.
  std::string free_share(const std::string& server_id, const std::string& token_sha) const;
  // Ends the calls of those who may make none any more.
  void end_if(const std::function<bool(const rbac::Principal&)>& ends, const Error& reason);
  void stop() { group_.cancel(Error(Status::unavailable, "the gateway is shutting down")); }
  size_t size() const { return calls_.size(); }

 private:
  class Call;
  class Hold;
  using CallPtr = std::shared_ptr<Call>;
  loop::Task<Result<void>> run(CallPtr call, UpstreamCall upstream);
  void end(CallPtr call, const Error& reason);
  loop::Task<Result<Turn>> next(CallPtr call, mcp::Events* events, loop::Scope& scope);

  Site& site_;
  std::map<std::string, CallPtr> calls_;  // by id
  loop::Group group_;                     // last: its tasks use everything above
};

}  // namespace mcptoken::gateway
