#include "gateway/questions.h"

#include <atomic>

#include "base/limits.h"
#include "gateway/listener.h"
#include "gateway/site.h"
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
  return may_be_asked(server, key) && key.share.starts_with("session:");
}

void Questions::on_request(mcp::Message message, Function<void(std::string)> reply) {
  if (!calls_.empty()) return calls_.back()->on_request(std::move(message), std::move(reply));
  auto shared = std::make_shared<Function<void(std::string)>>(std::move(reply));
  auto back = [&asker = site_.loop, shared](std::string text) {
    asker.post([shared, text = std::move(text)]() mutable { (*shared)(std::move(text)); });
  };
  auto search = std::make_shared<Search>(std::move(message), site_.gateway.sites());
  site_.gateway.tell_all([search, back, server_id = server_id_, session = session_](Site& site) {
    for (Listener* listener : site.listeners) {
      if (search->found || !listener->is_of(session)) continue;
      search->found = true;
      listener->ask(server_id, search->message, back);
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
