// One MCP server as seen by a client: negotiation, calls, notifications, and requests from the server. Two transports.
//
// Invariants:
//  1. A peer lives on one loop. Calls may overlap; each has an id of its own, so that equal ids of different clients never
//     meet on one connection.
//  2. Cancelling a call's scope cancels it at the server as its era says: the connection is closed (modern HTTP) or
//     notifications/cancelled is sent (legacy, stdio). A late answer is dropped.
//  3. A request that may have run is never repeated.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/function.h"
#include "http/http1.h"
#include "loop/task.h"
#include "mcp/handshake.h"
#include "mcp/message.h"
#include "mcp/revision.h"

namespace mcptoken::mcp {

struct Call {
  Call(std::string_view method_in, const std::vector<std::string_view>& params_in) : method(method_in), params(params_in) {}
  std::string_view method;
  const std::vector<std::string_view>& params;  // pieces of one JSON object; empty: no params
  std::string_view name;                        // goes into Mcp-Name, when the method has one
  std::span<const http::Header> headers;        // modern HTTP: Mcp-Param-*
  std::string_view progress_token;              // raw JSON as it stands in params, "" for none; unique on this peer
};

// What comes before the answer. Called on the peer's loop.
class Events {
 public:
  virtual ~Events() = default;
  virtual void on_notification(Message message) = 0;
  // `reply` takes the complete JSON-RPC response, with the request's id. It may be called later, once, or never.
  virtual void on_request(Message message, Function<void(std::string)> reply) = 0;
};

class Peer {
 public:
  virtual ~Peer() = default;
  // Negotiates. Idempotent: overlapping and later calls share the first's outcome; a failure may be tried again.
  virtual loop::Task<Result<void>> open(loop::Scope& scope) = 0;
  virtual const PeerInfo& info() const = 0;
  // Answers with the result or error message (its id is ours). Errors: what kept an answer from coming.
  virtual loop::Task<Result<Message>> call(Call call, Events* events, loop::Scope& scope) = 0;
  // Legacy: what the server sends that belongs to no call goes to the peer's `on_unrelated`, until its stream or the
  // process ends, or its session is another one, which is an error. `on_open`: from here on nothing is missed.
  virtual loop::Task<Result<void>> listen(Function<void()> on_open, loop::Scope& scope) = 0;
  virtual void notify(std::string message) = 0;  // a complete JSON-RPC notification; failures are not reported
  virtual bool alive() const = 0;                // false: needs to be replaced
};

// Messages to a server over HTTP that answer no call of ours, that are on their way at once: each takes a POST, maybe a connection.
// A server that asks faster than it takes answers gets none to the rest.
inline constexpr size_t kMostReplies = 64;

enum class EraChoice : uint8_t { probe, legacy, modern };

}  // namespace mcptoken::mcp
