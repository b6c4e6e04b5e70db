// What a server sends while a call runs: progress goes to the client under the client's own token, log lines from the level
// on that the client wants, and requests become requests to a client that has declared that it can take them.
#pragma once

#include <optional>
#include <string>

#include "base/limits.h"
#include "gateway/asked.h"
#include "gateway/endpoint.h"
#include "mcp/peer.h"

namespace mcptoken::gateway {

class CallEvents final : public mcp::Events {
 public:
  // `attachment`: of the server that is called.
  CallEvents(Exchange& exchange, const Client& client, const Attachment& attachment, Answer& answer, loop::Deadline& deadline,
             int64_t call_ms)
      : exchange_(exchange), client_(client), attachment_(attachment), answer_(answer), deadline_(deadline), call_ms_(call_ms),
        end_ms_(exchange.site.loop.now_ms() + limits::kInputRounds * limits::kAskMs + call_ms) {}

  void on_notification(mcp::Message message) override;
  // Asks the client, or replies with an error at once. The client's answer comes as a POST of its own.
  void on_request(mcp::Message message, Function<void(std::string)> reply) override;

 private:
  bool wants_log(const mcp::Message& message) const;
  bool goes_on(const mcp::Message& message);
  void extend(int64_t ms);
  bool waits_for_client() const { return asked_ && asked_->open() > 0; }
  void send(const mcp::Message& message, json::Edits& edits);
  void send(const mcp::Message& message);
  void withdraw(const mcp::Message& message);

  Exchange& exchange_;
  const Client& client_;
  const Attachment& attachment_;
  Answer& answer_;
  loop::Deadline& deadline_;
  int64_t call_ms_;
  int64_t end_ms_;  // of the call, however much progress it makes
  std::optional<Asked> asked_;  // nothing: it never was
  std::optional<double> progress_;  // as far as the client knows
};

}  // namespace mcptoken::gateway
