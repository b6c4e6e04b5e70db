// What a legacy server behind Streamable HTTP asks on the stream of its session, apart from any call (2025-11-25,
// transports: such a request should not be about a call, yet servers ask like that while one runs).
//
// Invariants:
//  1. A stream that carries questions belongs to one client (share: session). Everybody else's server is opened so that the peer
//     refuses what comes there, for nothing says whose question it is.
//  2. Who was told of capabilities is listened to, on every loop that has a session there: also what is refused has to be heard,
//     or the server waits in vain.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gateway/upstreams.h"
#include "mcp/peer.h"

namespace mcptoken::gateway {

// Whether those who use this connection are one client, who can be asked.
bool has_one_client(const ServerSpec& server, const UpstreamKey& key);
// Whether a server of the legacy era may ask on this connection's stream.
bool may_be_asked(const ServerSpec& server, const UpstreamKey& key);

// Of one connection, on its loop. A question goes to the youngest call that runs there, as on a pipe, and so do log lines; without
// a call to the session's own stream, when it has one. Progress goes to its call.
class Questions final : public mcp::Events {
 public:
  Questions(Site& site, std::string server_id, std::string share);

  void on_notification(mcp::Message message) override;
  void on_request(mcp::Message message, Function<void(std::string)> reply) override;

  // A call that can be asked, for as long as this lives.
  class Heard {
   public:
    // `progress_token`: raw JSON.
    Heard(Questions& questions, mcp::Events& events, const std::string& progress_token) : questions_(questions), events_(events) {
      questions.calls_.push_back({&events, progress_token});
    }
    ~Heard() {
      std::erase_if(questions_.calls_, [this](const Running& one) { return one.events == &events_; });
    }
    Heard(const Heard&) = delete;
    Heard& operator=(const Heard&) = delete;

   private:
    Questions& questions_;
    mcp::Events& events_;
  };

 private:
  struct Running {
    mcp::Events* events;
    std::string progress_token;
  };
  void withdraw(std::shared_ptr<const mcp::Message> message);
  void tell_progress(mcp::Message message);

  Site& site_;
  const std::string server_id_, share_;
  const uint64_t number_;       // tells this connection from others
  std::vector<Running> calls_;  // oldest first
};

}  // namespace mcptoken::gateway
