#include "mcp/multiplex.h"

#include "base/bytes.h"
#include "mcp/cancel.h"
#include "mcp/rewrite.h"
#include "mcp/unreadable.h"

namespace mcptoken::mcp {
namespace {

// Takes a call off the list when its frame ends, also when it is destroyed half-way: `events` are the frame's.
template <class Map>
struct Listed {
  Listed(Map& map_in, int64_t id_in) : map(map_in), id(id_in) {}
  ~Listed() { map.erase(id); }
  Listed(const Listed&) = delete;
  Listed& operator=(const Listed&) = delete;
  Map& map;
  int64_t id;
};

// The id of the listen request that a message of the modern era belongs to, raw.
std::string subscription_of(const Message& message) {
  const json::Node* meta = message.meta();
  const std::string_view raw = meta ? message.outline().raw(*meta) : std::string_view();
  auto outline = json::Outline::read(raw, 1, server_limits(raw.size()));
  const json::Node* id = outline ? outline->find("io.modelcontextprotocol/subscriptionId") : nullptr;
  return id ? std::string(outline->raw(*id)) : std::string();
}

std::string join(const std::vector<std::string_view>& pieces) {
  std::string out;
  for (auto piece : pieces) out.append(piece);
  return out;
}

}  // namespace

loop::Task<Result<Message>> Multiplex::exchange(Call call, Events* events, loop::Scope& scope) {
  int64_t id = ++next_id_;
  auto pending = std::make_shared<Pending>();
  pending->events = events;
  pending->progress_token = std::string(call.progress_token);
  pending_[id] = pending;
  Listed listed(pending_, id);
  std::string message = request_head(std::to_string(id), call.method, !call.params.empty());
  message.append(join(call.params)).append("}");
  const std::string method(call.method);
  MCPT_CO_CHECK(write_(std::move(message), id));
  auto answer = co_await pending->done.wait(scope);
  if (!answer && scope.cancelled() && method != "initialize") {
    send(cancellation(std::to_string(id), scope.reason()));
  }
  co_return answer;
}

void Multiplex::take(Message message) {
  switch (message.kind()) {
    case MessageKind::request:
      return take_request(std::move(message));
    case MessageKind::notification:
      return take_notification(std::move(message));
    case MessageKind::result:
    case MessageKind::error: {
      auto id = parse_decimal(message.id());
      auto it = id ? pending_.find(*id) : pending_.end();
      if (it == pending_.end()) return;  // late, or never asked
      auto pending = it->second;
      pending->done.resolve(std::move(message));
      return;
    }
  }
}

Events* Multiplex::youngest_listener() {
  for (auto it = pending_.rbegin(); it != pending_.rend(); ++it) {
    if (it->second->events) return it->second->events;
  }
  return nullptr;
}

// Which of them the server had asked, each knows for itself.
void Multiplex::tell_listeners(const Message& message) {
  std::vector<Events*> listeners;
  for (auto& [id, pending] : pending_) {
    if (pending->events) listeners.push_back(pending->events);
  }
  for (Events* events : listeners) {
    if (auto copy = copy_of(message)) events->on_notification(*std::move(copy));
  }
}

void Multiplex::take_request(Message message) {
  if (message.method() == "ping") return send(result_message(message.id(), "{}"));
  Events* events = capabilities_ != 0 ? youngest_listener() : nullptr;
  if (!events) {
    return send(error_message(message.id(), Error(Status::not_supported, "the client does not offer this").with_rpc(rpc::kMethodNotFound)));
  }
  events->on_request(std::move(message), [this, alive = std::weak_ptr<int>(alive_)](std::string reply) {
    if (alive.lock()) send(std::move(reply));
  });
}

void Multiplex::take_notification(Message message) {
  if (message.method() == "notifications/progress") {
    const json::Node* token = message.param("progressToken");
    if (!token) return;
    std::string_view raw = message.outline().raw(*token);
    for (auto& [id, pending] : pending_) {
      if (pending->events && !pending->progress_token.empty() && pending->progress_token == raw) {
        return pending->events->on_notification(std::move(message));
      }
    }
    return;
  }
  if (message.method() == "notifications/subscriptions/acknowledged") {  // the one listen request that waits for it
    for (auto& [id, pending] : pending_) {
      if (pending->events && subscription_of(message) == std::to_string(id)) return pending->events->on_notification(std::move(message));
    }
    return;
  }
  bool exclusive = capabilities_ != 0;
  if (withdrawn_request(message)) {
    if (exclusive) tell_listeners(message);
    return;
  }
  if (belongs_to_call(message.method())) {
    Events* events = exclusive ? youngest_listener() : nullptr;
    if (events) return events->on_notification(std::move(message));
  }
  if (unrelated_) unrelated_(std::move(message));
}

bool Multiplex::take_unreadable(std::string_view text) {
  const auto id = pending_.empty() ? std::nullopt : answered_by(text);
  return id && fail_one(*id, Error(Status::protocol, "the answer is not a JSON-RPC response to the request"));
}

bool Multiplex::fail_one(int64_t id, const Error& error) {
  auto it = pending_.find(id);
  if (it == pending_.end()) return false;
  auto pending = it->second;
  pending->done.resolve(fail(error));
  return true;
}

void Multiplex::fail_all(const Error& error) {
  auto pending = std::exchange(pending_, {});
  for (auto& [id, one] : pending) one->done.resolve(fail(error));
}

}  // namespace mcptoken::mcp
