#include "gateway/call_events.h"

#include <algorithm>
#include <charconv>

#include "gateway/log_level.h"
#include "gateway/uri.h"
#include "json/edit.h"
#include "json/writer.h"
#include "mcp/cancel.h"
#include "mcp/input_request.h"
#include "mcp/rewrite.h"

namespace mcptoken::gateway {

CallEvents::~CallEvents() {
  for (auto& id : asked_) exchange_.site.asks.erase(id);
}

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
  if (client_.log_level.empty()) return client_.era == mcp::Era::legacy;
  return log_rank(message.string_param("level").value_or("")) >= log_rank(client_.log_level);
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
    if (open_asks() == 0) extend(call_ms_);
    const json::Node* token = message.param("progressToken");
    if (client_.progress_token.empty() || !token) return;
    json::Edits edits(message.outline());
    edits.replace(*token, client_.progress_token);
    send(message, edits);
  } else if (message.method() == "notifications/message" && wants_log(message)) {
    send(message);
  } else if (message.method() == "notifications/elicitation/complete" && client_.era == mcp::Era::legacy) {
    send(message);  // of an elicitation by URL, whose id the client has been given
  } else if (const json::Node* id = mcp::withdrawn_request(message)) {
    withdraw(message, *id);
  }
}

// The server wants no answer any more to what it asked, so the client is told to stop asking its user.
void CallEvents::withdraw(const mcp::Message& message, const json::Node& upstream_id) {
  auto& asks = exchange_.site.asks;
  const auto ask = std::find_if(asked_.begin(), asked_.end(), [&](const std::string& id) {
    const auto at = asks.find(id);
    return at != asks.end() && at->second.upstream_id == message.outline().raw(upstream_id);
  });
  if (ask == asked_.end()) return;
  asks.erase(*ask);
  if (open_asks() == 0) extend(call_ms_);
  json::Edits edits(message.outline());
  edits.replace(upstream_id, json::quoted(*ask));
  send(message, edits);
}

void CallEvents::on_request(mcp::Message message, Function<void(std::string)> reply) {
  bool possible = client_.session && mcp::takes_request(client_.capabilities, message) && answer_.can_send();
  if (!possible || asked_.size() >= limits::kAsksPerCall) {
    Error error = Error(Status::not_supported, "the client does not offer this").with_rpc(mcp::rpc::kMethodNotFound);
    return reply(mcp::error_message(message.id(), error));
  }
  auto random = crypto::random_id();
  if (!random) return reply(mcp::error_message(message.id(), random.error()));
  Site& site = exchange_.site;
  std::string id = std::to_string(site.index) + "." + std::to_string(++site.next_number) + "." + *random;
  Ask ask;
  ask.session = client_.session->nonce;
  ask.token_sha = exchange_.caller.who->token_sha;
  ask.upstream_id = std::string(message.id());
  ask.reply = [this, reply = std::move(reply)](std::string text) mutable {
    if (open_asks() == 0) extend(call_ms_);  // the ask is out of the table already
    reply(std::move(text));
  };
  site.asks.emplace(id, std::move(ask));
  asked_.push_back(id);
  extend(limits::kAskMs);  // the call's own clock stands still while a person answers
  json::Edits edits(message.outline());
  edits.replace(*message.id_node(), json::quoted(id));
  for (auto& edit : uri_edits(attachment_, message)) {
    json::Node place;
    place.value = edit.range;
    edits.replace(place, edit.bytes);
  }
  send(message, edits);
}

size_t CallEvents::open_asks() const {
  size_t open = 0;
  for (auto& id : asked_) open += exchange_.site.asks.contains(id);
  return open;
}

}  // namespace mcptoken::gateway
