#include "gateway/watches.h"

#include <algorithm>

#include "base/limits.h"
#include "gateway/site.h"
#include "json/writer.h"
#include "mcp/rewrite.h"

namespace mcptoken::gateway {
namespace {

constexpr int64_t kFirstRetryMs = 200;
constexpr int64_t kLongestRetryMs = 30'000;
constexpr int64_t kLastingMs = 10'000;  // a stream that was open for so long begins a new row of failures
constexpr int kMostUnwished = 3;        // in a row, of a stream that nobody but a list wants

}  // namespace

void Watches::Watch::wish(const std::string& client, std::set<std::string> uris) {
  auto& own = wishes[client];
  for (auto& uri : uris) revision += ++wanted[uri] == 1 ? 1 : 0;
  std::swap(own, uris);
  for (auto& uri : uris) {
    if (--wanted[uri] > 0) continue;
    wanted.erase(uri);
    ++revision;
  }
}

Watches::Watch::Wishes::iterator Watches::Watch::withdraw(Wishes::iterator wish) {
  this->wish(wish->first, {});
  return wishes.erase(wish);
}

std::set<std::string> Watches::Watch::uris() const {
  std::set<std::string> all;
  for (auto& [uri, count] : wanted) all.insert(all.end(), uri);
  return all;
}

Watches::WatchPtr Watches::watch_of(const std::shared_ptr<const ServerSpec>& server, const UpstreamKey& key) {
  auto& watch = watches_[key];
  if (!watch) {
    watch = std::make_shared<Watch>(site_.loop);
    watch->server = server;
    watch->key = key;
  }
  return watch;
}

void Watches::keep(std::shared_ptr<const ServerSpec> server, const UpstreamKey& key, int64_t until_ms) {
  auto watch = watch_of(server, key);
  if (watch->kept.running() && until_ms <= watch->kept_until_ms) return;
  watch->kept_until_ms = until_ms;
  watch->kept.start(until_ms - site_.loop.now_ms(), [this, weak = std::weak_ptr<Watch>(watch)] {
    if (auto locked = weak.lock()) settle_forgotten({locked});
  });
  step(std::move(watch));
}

void Watches::keep_only(const Servers& present) {
  std::vector<WatchPtr> touched;
  for (auto& [key, watch] : watches_) {
    const auto server = present.find(key.server_id);
    if (!watch->kept.running() || (server != present.end() && server->second->version == key.version)) continue;
    watch->kept.stop();
    touched.push_back(watch);
  }
  settle_forgotten(touched);
}

loop::Task<Result<void>> Watches::want(WatchWish wish, loop::Scope& scope) {
  auto watch = watch_of(wish.server, wish.key);
  watch->bearer = wish.bearer;
  const bool quiet = watch->stream && !watch->opening;
  const uint64_t before = watch->revision;
  watch->wish(wish.client, std::move(wish.uris));
  if (quiet && watch->revision == before) co_return Result<void>();
  if (watch->retry.running()) co_return fail(*watch->last_error);
  auto done = std::make_shared<loop::Completion<void>>();
  watch->waiting.push_back(done);
  step(watch);
  auto result = co_await done->wait(scope);
  co_return result;
}

void Watches::forget(const std::string& client) {
  std::vector<WatchPtr> touched;
  for (auto& [key, watch] : watches_) {
    auto wish = watch->wishes.find(client);
    if (wish == watch->wishes.end()) continue;
    watch->withdraw(wish);
    touched.push_back(watch);
  }
  settle_forgotten(touched);
}

void Watches::forget_session(const std::string& session) {
  const std::string start = session + " ";
  std::vector<WatchPtr> touched;
  for (auto& [key, watch] : watches_) {
    auto wish = watch->wishes.lower_bound(start);
    if (wish == watch->wishes.end() || !wish->first.starts_with(start)) continue;
    while (wish != watch->wishes.end() && wish->first.starts_with(start)) wish = watch->withdraw(wish);
    touched.push_back(watch);
  }
  settle_forgotten(touched);
}

void Watches::settle_forgotten(const std::vector<WatchPtr>& touched) {
  for (auto& watch : touched) {
    if (watch->wanted_by_nobody()) close(watch->key);
    else step(watch);
  }
}

void Watches::stop() {
  auto all = std::exchange(watches_, {});
  for (auto& [key, watch] : all) {
    watch->retry.stop();
    watch->kept.stop();
    watch->stream.reset();
    watch->opening.reset();
    settle(*watch, fail(Status::unavailable, "the gateway is shutting down"));
  }
  group_.cancel(Error(Status::unavailable, "the gateway is shutting down"));
}

void Watches::close(const UpstreamKey& key) {
  auto it = watches_.find(key);
  auto watch = it->second;
  watches_.erase(it);
  watch->retry.stop();
  watch->kept.stop();
  Error reason(Status::cancelled, "nobody listens any more");
  for (auto& stream : {std::exchange(watch->stream, nullptr), std::exchange(watch->opening, nullptr)}) {
    if (stream) stream->scope.cancel(reason);
  }
  settle(*watch, fail(std::move(reason)));
}

void Watches::settle(Watch& watch, Result<void> result) {
  for (auto& one : std::exchange(watch.waiting, {})) one->resolve(result);
}

// Opens the stream that the wishes ask for, unless it is there or under way.
void Watches::step(WatchPtr watch) {
  if (watch->opening || watch->retry.running()) return;
  if (watch->stream && watch->stream->revision == watch->revision) return settle(*watch, {});
  watch->opening = std::make_shared<Stream>(group_.scope());
  watch->opening->revision = watch->revision;
  watch->opening->is_wished = !watch->wishes.empty();
  auto stream = watch->opening;
  auto task = run(watch, stream);
  group_.spawn(std::move(task), [this, watch, stream](Result<void> result) {
    ended(watch, stream, result ? Error(Status::network, "the stream has ended") : result.error());
  });
}

// The stream is there; whoever has waited for it is told with what result.
void Watches::opened(Watch& watch, std::shared_ptr<Stream> stream, Result<void> result) {
  if (watch.opening != stream) return;
  watch.opening.reset();
  auto old = watch.stream;
  if (stream->open) {
    watch.stream = stream;
    stream->opened_ms = site_.loop.now_ms();
    if (old) old->scope.cancel(Error(Status::cancelled, "another stream has taken its place"));
    if (std::exchange(watch.missed, false)) site_.gateway.suspect(watch.server->id, watch.key.share);
  } else if (old) {
    old->revision = stream->revision;  // the one that was there carries it, too
  }
  if (!result || (watch.stream && watch.stream->revision == watch.revision)) settle(watch, std::move(result));
  auto it = watches_.find(watch.key);
  if (it != watches_.end() && it->second.get() == &watch) step(it->second);
}

void Watches::ended(WatchPtr watch, std::shared_ptr<Stream> stream, const Error& error) {
  bool current = watch->stream == stream, next = watch->opening == stream;
  if (!current && !next) return;  // closed, or replaced
  if (current) watch->stream.reset(), watch->missed = true;
  if (next) watch->opening.reset();
  if (stream->opened_ms != 0 && site_.loop.now_ms() - stream->opened_ms >= kLastingMs) watch->failures = 0;
  if (!stream->open && !stream->is_wished) return watch->wishes.empty() ? close(watch->key) : step(watch);
  if (watch->wishes.empty() && watch->failures >= kMostUnwished) return close(watch->key);
  site_.gateway.options().log.info(error.message);
  watch->last_error = error;
  int64_t pause_ms = std::min(kFirstRetryMs << std::min(watch->failures++, 8), kLongestRetryMs);
  watch->retry.start(pause_ms + site_.gateway.jitter(pause_ms / 4), [this, weak = std::weak_ptr<Watch>(watch)] {
    if (auto locked = weak.lock()) step(locked);
  });
  settle(*watch, fail(error));
}

loop::Task<Result<void>> Watches::run(WatchPtr watch, std::shared_ptr<Stream> stream) {
  auto uris = watch->uris();
  auto asking = site_.upstreams.info(watch->server, watch->key, watch->bearer, stream->scope);
  MCPT_CO_TRY(auto info, co_await asking);
  if (!stream->is_wished && !mcp::announces_changes(info)) co_return fail(Status::not_supported, "it announces nothing");
  const bool legacy = info.era == mcp::Era::legacy;
  if (legacy && watch->stream) {
    auto telling = tell_legacy(watch, stream, std::move(uris));
    auto told = co_await telling;
    co_return told;
  }
  if (legacy) watch->told.clear();
  Function<void()> on_open = [this, watch, stream, legacy, uris] {
    stream->open = true;
    if (!legacy) return opened(*watch, stream, {});
    auto telling = tell_legacy(watch, stream, uris);
    group_.spawn(std::move(telling));
  };
  auto listening = site_.upstreams.listen(watch->server, watch->key, watch->bearer, uris, std::move(on_open), stream->scope);
  auto result = co_await listening;
  co_return result;
}

// Legacy servers are told of each URI. One that they refuse concerns who asked for it, not the others.
loop::Task<Result<void>> Watches::tell_legacy(WatchPtr watch, std::shared_ptr<Stream> stream, std::set<std::string> uris) {
  Result<void> refused;
  for (auto& uri : std::set(watch->told)) {
    if (uris.contains(uri)) continue;
    watch->told.erase(uri);
    auto asking = ask_legacy(watch, "resources/unsubscribe", uri, stream->scope);
    auto asked = co_await asking;
    if (!asked) site_.gateway.options().log.info(asked.error().message);
  }
  for (auto& uri : uris) {
    if (watch->told.contains(uri)) continue;
    auto asking = ask_legacy(watch, "resources/subscribe", uri, stream->scope);
    auto asked = co_await asking;
    if (asked) watch->told.insert(uri);
    else refused = std::move(asked);
  }
  opened(*watch, stream, std::move(refused));
  co_return Result<void>();
}

loop::Task<Result<void>> Watches::ask_legacy(WatchPtr watch, std::string method, std::string uri, loop::Scope& scope) {
  UpstreamCall call;
  call.server = watch->server;
  call.key = watch->key;
  call.bearer = watch->bearer;
  call.method = method;
  call.capability = "resources";
  std::string text = mcp::request_head("0", method, true) + "{\"uri\":" + json::quoted(uri) + "}}";
  MCPT_CO_TRY(auto request, mcp::Message::parse(std::move(text), mcp::Origin::server));
  call.request = std::make_shared<const mcp::Message>(std::move(request));
  loop::Scope here(scope);
  loop::Deadline deadline(site_.loop, here, limits::kFirstByteMs,
                          Error(Status::timeout, watch->server->name + ": " + method + " was not answered in time"));
  auto task = site_.upstreams.call_here(call, nullptr, here);
  MCPT_CO_TRY(auto answer, co_await task);
  if (answer.message.kind() == mcp::MessageKind::error) co_return fail(answer.to_error());
  co_return Result<void>();
}

}  // namespace mcptoken::gateway
