// A server behind Streamable HTTP, both eras. The connection pool is the http::Client's; the session, if any, is ours.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "http/client.h"
#include "http/sse.h"
#include "loop/flight.h"
#include "loop/loop.h"
#include "mcp/handshake.h"
#include "mcp/peer.h"

namespace mcptoken::mcp {

struct HttpOptions {
  HttpOptions() = default;
  std::string label;                   // for texts: the server's alias, never its address
  http::Url url;
  std::vector<http::Header> headers;   // credentials and the like; wiped on destruction
  std::string pool_key;                // connections are shared among equal keys only
  PeerIdentity identity;
  EraChoice era = EraChoice::probe;
  http::Options http;
  int64_t open_ms = 10'000;
  Log log;
  Function<void(Message)> on_unrelated;  // notifications that no call hears
};

class HttpPeer final : public Peer {
 public:
  HttpPeer(loop::Loop& loop, http::Client& client, HttpOptions options);
  ~HttpPeer() override;

  void declare(uint32_t capabilities) { options_.identity.capabilities = capabilities; }  // before open()
  // Takes what comes on the stream of listen() and may belong to a call: requests, which are refused otherwise, and
  // notifications. Outlives the peer.
  void take_events(Events* events) { stream_events_ = events; }
  loop::Task<Result<void>> open(loop::Scope& scope) override;
  const PeerInfo& info() const override { return info_; }
  loop::Task<Result<Message>> call(Call call, Events* events, loop::Scope& scope) override;
  loop::Task<Result<void>> listen(Function<void()> on_open, loop::Scope& scope) override;
  void notify(std::string message) override;
  bool alive() const override { return true; }
  // notify() that reports its failure.
  loop::Task<Result<void>> deliver(std::string message) { return send_message(std::move(message)); }
  // The WWW-Authenticate fields of the last answer that was a 401 or 403, one after another; "" when it had none.
  const std::string& challenge() const { return challenge_; }

  // Ends a legacy session with DELETE, and forgets what was negotiated, whatever comes of it.
  loop::Task<Result<void>> close(loop::Scope& scope);
  // Notifications and answers to the server that are on their way.
  size_t messages() const { return notes_ + replies_; }
  // Until there are none. One waiter.
  loop::Task<Result<void>> settle(loop::Scope& scope);

 private:
  static constexpr size_t kErrorTextBytes = 4096;  // a gateway's refusal as JSON fits, with its hint and request id

  // What one POST came to: an HTTP status and, when there was one, the JSON-RPC answer.
  struct Answer {
    int status = 0;
    bool denies_session = false;  // it has forgotten ours, if there is one, and did not run the request (2025-11-25, session management)
    std::optional<Message> message;
    std::string text;  // the body when it is no JSON-RPC message, shortened
  };
  // Credentials are among them.
  struct Headers {
    explicit Headers(std::vector<http::Header> list_in) : list(std::move(list_in)) {}
    ~Headers();
    std::vector<http::Header> list;
    std::string start;  // of a request with them; "": not made
  };
  struct Sent {
    std::string id;
    std::string head;
    std::vector<std::string_view> body;
    std::shared_ptr<const Headers> headers;  // a new session has new ones while this is on its way
  };

  // Where a stream that may be taken up again stands.
  struct Place {
    std::string last_id;
    int64_t retry_ms = 1'000;
    int barren = 0;  // connections in a row without a new event
    void note(const http::SseReader& reader);
  };

  loop::Task<Result<void>> negotiate();
  loop::Task<Result<bool>> probe_modern(loop::Scope& scope);
  loop::Task<Result<void>> initialize(loop::Scope& scope);
  loop::Task<Result<Answer>> post_modern(Call call, Events* events, loop::Scope& scope);
  loop::Task<Result<Answer>> post(Call call, Era era, Events* events, loop::Scope& scope);
  loop::Task<Result<Answer>> read_answer(http::Exchange& exchange, const std::string& id, Events* events, loop::Scope& scope);
  loop::Task<Result<Answer>> read_refusal(http::Exchange& exchange, const std::string& id, Events* events, loop::Scope& scope);
  std::optional<Message> take(Message message, const std::string& id, Events* events);
  std::optional<Message> take_batch(std::string_view text, const std::string& id, Events* events, const loop::Scope& scope);
  Result<std::optional<Message>> take_event(std::string_view data, const std::string& id, Events* events, const loop::Scope& scope);
  std::optional<Message> take_body(std::string body, const std::string& id, Events* events, const loop::Scope& scope);
  void judge(Answer& answer) const;
  loop::Task<Result<Answer>> read_stream(http::Exchange& exchange, const std::string& id, Events* events, loop::Scope& scope);
  loop::Task<Result<Answer>> read_events(http::Exchange& exchange, const std::string& id, Events* events, Place& place,
                                         loop::Scope& scope);
  bool may_resume(const Error& error, const Place& place, const loop::Scope& scope) const;
  loop::Task<Result<Answer>> resume(const std::string& id, Events* events, Place& place, loop::Scope& scope);
  loop::Task<Result<void>> send_message(std::string message);
  loop::Task<Result<void>> drain(std::unique_ptr<http::Exchange> exchange);
  std::vector<http::Header> headers_for(Era era, std::string_view method, std::string_view name) const;
  Result<std::shared_ptr<const Headers>> session_headers();
  std::vector<http::Header> stream_headers() const;
  http::Request stream_request(const std::vector<http::Header>& headers) const;  // borrows them
  void dispatch(Message message, Events* events);
  void reply_to_server(std::string message);
  void taken(size_t& count);
  void lose_session(const std::string& session);
  Error refused(const Answer& answer) const;
  Error changed() const;
  void note_challenge(const http::Response& head);

  loop::Loop& loop_;
  http::Client& client_;
  HttpOptions options_;
  http::Options harmless_;  // of requests that may arrive twice
  PeerInfo info_;
  std::shared_ptr<const Headers> session_headers_;  // checked, of all calls in a legacy session
  std::shared_ptr<loop::Scope> session_ = std::make_shared<loop::Scope>();  // of what listens in it
  Events* stream_events_ = nullptr;
  int64_t next_id_ = 0;
  size_t notes_ = 0, replies_ = 0;
  loop::Completion<void> settled_;
  bool open_ = false;
  std::string challenge_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);  // replies that come later ask whether we still are
  loop::Flight opening_;
  loop::Group group_;  // last: its tasks use everything above
};

}  // namespace mcptoken::mcp
