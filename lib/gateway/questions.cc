#include "gateway/questions.h"

#include <algorithm>
#include <atomic>

#include "base/limits.h"
#include "gateway/listener.h"
#include "gateway/site.h"
#include "mcp/cancel.h"
#include "mcp/rewrite.h"

namespace mcptoken::gateway {
namespace {

constexpr int64_t kFirstRetryMs = 500;
constexpr int64_t kLongestRetryMs = 30'000;

// A question on its way through the loops, one of which has the session's stream.
struct Search {
  explicit Search(mcp::Message message_in, size_t loops) : message(std::move(message_in)), left(loops) {}
  const mcp::Message message;
  std::atomic<size_t> left;
  std::atomic<bool> found{false};
};

}  // namespace

bool may_be_asked(const ServerSpec& server, const UpstreamKey& key) {
  return server.transport == Transport::http && !server.relayed && key.capabilities != 0;
}

bool has_one_client(const ServerSpec& server, const UpstreamKey& key) {
  return may_be_asked(server, key) && is_alone(key.share);
}

Questions::Questions(Site& site, std::string server_id, std::string share)
    : site_(site),
      server_id_(std::move(server_id)),
      share_(std::move(share)),
      number_(site.next_mark()) {}

void Questions::on_notification(mcp::Message message) {
  if (mcp::withdrawn_request(message)) return withdraw(std::make_shared<const mcp::Message>(std::move(message)));
  if (message.method() == "notifications/progress") return tell_progress(std::move(message));
  if (!calls_.empty()) return calls_.back().events->on_notification(std::move(message));
  site_.gateway.server_says(server_id_, share_, std::move(message));
}

// Which of them the server had asked, each knows for itself.
void Questions::withdraw(std::shared_ptr<const mcp::Message> message) {
  for (const auto& call : std::vector(calls_)) {
    if (auto copy = mcp::copy_of(*message)) call.events->on_notification(*std::move(copy));
  }
  site_.gateway.tell_all([message, number = number_, share = share_](Site& site) {
    for (Listener* listener : site.listeners) {
      if (listener->is_of(share)) listener->withdraw(*message, number);
    }
  });
}

void Questions::tell_progress(mcp::Message message) {
  const json::Node* token = message.param("progressToken");
  if (!token) return;
  const std::string_view raw = message.outline().raw(*token);
  const auto of = std::find_if(calls_.begin(), calls_.end(), [&](const Running& one) { return one.progress_token == raw; });
  if (of != calls_.end()) of->events->on_notification(std::move(message));
}

void Questions::on_request(mcp::Message message, Function<void(std::string)> reply) {
  if (!calls_.empty()) return calls_.back().events->on_request(std::move(message), std::move(reply));
  auto shared = std::make_shared<Function<void(std::string)>>(std::move(reply));
  auto back = [&asker = site_.loop, shared](std::string text) {
    asker.post([shared, text = std::move(text)]() mutable { (*shared)(std::move(text)); });
  };
  auto search = std::make_shared<Search>(std::move(message), site_.gateway.sites());
  site_.gateway.tell_all([search, back, server_id = server_id_, share = share_, number = number_](Site& site) {
    for (Listener* listener : site.listeners) {
      if (search->found || !listener->is_of(share)) continue;
      search->found = true;
      listener->ask(server_id, search->message, number, back);
      break;
    }
    if (--search->left > 0 || search->found) return;
    Error nobody(Status::not_supported, "no call runs, and the client does not listen");
    back(mcp::error_message(search->message.id(), std::move(nobody).with_rpc(mcp::rpc::kMethodNotFound)));
  });
}

// Keeps the stream open that questions come on, until the connection goes or somebody listens who has it open anyway.
loop::Task<Result<void>> Upstreams::keep_stream(std::shared_ptr<Entry> entry) {
  size_t uncounted = 0;  // the stream alone is no use of the connection
  for (int failures = 0; !stopping_ && !entry->retired && entry->listeners == 0; ++failures) {
    entry->stream = std::make_shared<loop::Scope>(group_.scope());
    auto stream = entry->stream;
    Busy busy(uncounted, entry->end, *stream);
    auto peer = entry->peer;
    Function<void()> on_open = [&failures] { failures = 0; };
    auto task = peer->listen(std::move(on_open), *stream);
    auto ended = co_await task;
    if (stream->cancelled()) continue;
    if (!ended) site_.gateway.options().log.info(ended.error().message);
    const int64_t pause_ms = std::min(kFirstRetryMs << std::min(failures, 6), kLongestRetryMs);
    loop::Sleep pause(site_.loop, pause_ms + site_.gateway.jitter(pause_ms / 4));
    static_cast<void>(co_await pause.wait(*stream));
  }
  entry->stream.reset();
  co_return Result<void>();
}

void Upstreams::want_stream(const std::shared_ptr<Entry>& entry) {
  if (!may_be_asked(*entry->server, entry->key) || entry->stream || entry->listeners > 0 || entry->retired) return;
  if (entry->peer->info().era != mcp::Era::legacy) return;  // modern ones ask by their answers alone
  auto task = keep_stream(entry);
  group_.spawn(std::move(task));
}

}  // namespace mcptoken::gateway
