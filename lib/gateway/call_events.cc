#include "gateway/call_events.h"

#include <algorithm>
#include <charconv>

#include "gateway/input.h"
#include "gateway/log_level.h"
#include "json/edit.h"
#include "json/writer.h"
#include "mcp/cancel.h"
#include "mcp/input_request.h"
#include "mcp/rewrite.h"

namespace mcptoken::gateway {

void CallEvents::send(const mcp::Message& message, json::Edits& edits) {
  mcp::drop_unknown_members(message, edits);
  answer_.send(json::apply(message.text(), message.outline().root().value, edits.sorted()));
}

void CallEvents::send(const mcp::Message& message) {
  json::Edits edits(message.outline());
  send(message, edits);
}

// A legacy client that has not said what it wants gets what the server sends; a modern one nothing.
bool CallEvents::wants_log(const mcp::Message& message) const {
  if (client_.log_level.empty() && client_.era != mcp::Era::legacy) return false;
  return is_wanted(client_.log_level, message);
}

// Progress that does not grow is passed over: no client is to see the like (2025-11-25, progress), and no call lives from it.
bool CallEvents::goes_on(const mcp::Message& message) {
  const json::Node* progress = message.param("progress");
  if (!progress || progress->type != json::Type::number) return false;
  const std::string_view text = message.outline().raw(*progress);
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || (progress_ && value <= *progress_)) return false;
  progress_ = value;
  return true;
}

void CallEvents::extend(int64_t ms) { deadline_.refresh(std::min(ms, std::max<int64_t>(0, end_ms_ - exchange_.site.loop.now_ms()))); }

void CallEvents::on_notification(mcp::Message message) {
  if (message.method() == "notifications/progress") {
    if (!goes_on(message)) return;
    if (!waits_for_client()) extend(call_ms_);
    const json::Node* token = message.param("progressToken");
    if (client_.progress_token.empty() || !token) return;
    json::Edits edits(message.outline());
    edits.replace(*token, client_.progress_token);
    send(message, edits);
  } else if (message.method() == "notifications/message" && wants_log(message)) {
    send(message);
  } else if (message.method() == "notifications/elicitation/complete" && client_.era == mcp::Era::legacy) {
    send(message);  // of an elicitation by URL, whose id the client has been given
  } else {
    withdraw(message);
  }
}

// The server wants no answer any more to what it asked, so the client is told to stop asking its user.
void CallEvents::withdraw(const mcp::Message& message) {
  const auto told = asked_ ? asked_->withdraw(message, 0) : std::nullopt;
  if (!told) return;
  if (!waits_for_client()) extend(call_ms_);
  answer_.send(*told);
}

void CallEvents::on_request(mcp::Message message, Function<void(std::string)> reply) {
  const bool possible = client_.session && mcp::takes_request(client_.capabilities, message) && answer_.can_send();
  if (possible && !asked_) asked_.emplace(exchange_.site, client_.session->share);
  if (!possible || asked_->made() >= limits::kAsksPerCall) {
    Error error = Error(Status::not_supported, "the client does not offer this").with_rpc(mcp::rpc::kMethodNotFound);
    return reply(mcp::error_message(message.id(), error));
  }
  Function<void(std::string)> answered = [this, reply = std::move(reply)](std::string text) mutable {
    if (!waits_for_client()) extend(call_ms_);  // the ask is out of the table already
    reply(std::move(text));
  };
  auto question = asked_->ask(message, attachment_, 0, answered);
  if (!question) return answered(mcp::error_message(message.id(), question.error()));
  note_visit(exchange_, client_, *attachment_.server, message.string_param("elicitationId"));
  extend(limits::kAskMs);  // the call's own clock stands still while a person answers
  answer_.send(*std::move(question));
}

}  // namespace mcptoken::gateway
