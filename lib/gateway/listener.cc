#include "gateway/listener.h"

#include <algorithm>

#include "base/limits.h"
#include "gateway/hop.h"
#include "gateway/uri.h"
#include "gateway/view.h"
#include "json/edit.h"
#include "json/writer.h"
#include "mcp/rewrite.h"

namespace mcptoken::gateway {

std::vector<Interest> interests_of(const Exchange& exchange, const Client& client, uint8_t kinds) {
  std::vector<Interest> out;
  auto& project = *exchange.caller.project;
  CallerShare own = share_of(exchange, client), shared = own;
  shared.capabilities = 0;  // a client that listens is no reason for a process of its own
  for (auto& attachment : project.attachments) {
    Interest interest;
    interest.attachment = attachment;
    interest.key = key_for(*attachment.server, shared);
    interest.shares = {interest.key.share, key_for(*attachment.server, own).share};
    for (auto& row : kKinds) {
      uint8_t bit = static_cast<uint8_t>(1u << static_cast<unsigned>(row.kind));
      if ((kinds & bit) && may_use_any(project, *exchange.caller.who, row.kind, attachment.server->name)) interest.kinds |= bit;
    }
    if (interest.kinds != 0) out.push_back(std::move(interest));
  }
  return out;
}

Listener::Listener(Exchange& exchange, std::vector<Interest> interests)
    : site_(exchange.site),
      responder_(exchange.responder),
      project_(exchange.caller.project),
      interests_(std::move(interests)),
      bearer_(exchange.caller.to_control_plane),
      name_("listen:" + exchange.site.next_token()),
      heartbeat_(exchange.site.loop) {
  site_.listeners.push_back(this);
  heartbeat_.start(limits::kHeartbeatMs, [this] { responder_.write(":\n\n"); }, limits::kHeartbeatMs);
}

Listener::~Listener() {
  site_.listeners.remove(this);
  for (auto& interest : interests_) {
    Site& home = site_.gateway.home_of(interest.attachment.server->id);
    home.loop.post([&home, name = name_] { home.watches.forget(name); });
  }
}

bool Listener::is_at(std::string_view uri, const std::string& server_id) const {
  auto target = resolve_uri(*project_, uri);
  return target && target->attachment->server->id == server_id;
}

void Listener::changed(const std::string& server_id, Kind kind) {
  for (auto& interest : interests_) {
    if (interest.attachment.server->id != server_id || !interest.wants(kind)) continue;
    std::string own = meta("");
    return send(sse_event(mcp::notification(row_of(kind).changed, own.empty() ? "" : "{\"_meta\":" + own + "}")));
  }
}

void Listener::updated(const std::string& server_id, const std::string& share, const mcp::Message& message) {
  auto uri = message.string_param("uri");
  if (!uri) return;
  for (auto& interest : interests_) {
    auto& shares = interest.shares;
    if (interest.attachment.server->id != server_id || std::find(shares.begin(), shares.end(), share) == shares.end()) continue;
    std::string exposed = exposed_uri(interest.attachment, *uri);
    if (covers(uris(), exposed)) tell_updated(exposed, &message);
  }
}

void Listener::suspect(const std::string& server_id, const std::string& share) {
  for (auto& interest : interests_) {
    auto& shares = interest.shares;
    if (interest.attachment.server->id != server_id || std::find(shares.begin(), shares.end(), share) == shares.end()) continue;
    for (auto& uri : std::set(uris())) {
      if (is_at(uri, server_id)) tell_updated(uri, nullptr);
    }
  }
}

void Listener::tell_updated(std::string_view uri, const mcp::Message* message) {
  std::string own = meta(message ? mcp::hop_meta(*message, {}) : "");
  std::string params;
  if (message) {
    json::Edits edits(message->outline());
    edits.set(*message->params(), "uri", json::quoted(uri));
    if (!own.empty()) edits.set(*message->params(), "_meta", own);
    else if (message->meta()) edits.remove(*message->params(), *message->meta());
    params = json::apply(message->text(), message->params()->value, edits.sorted());
  } else {
    params = "{\"uri\":" + json::quoted(uri) + (own.empty() ? "" : ",\"_meta\":" + own) + "}";
  }
  send(sse_event(mcp::notification("notifications/resources/updated", params)));
}

loop::Task<Result<void>> Listener::watch(std::set<std::string> uris, loop::Scope& scope) {
  size_t left = 1;
  loop::Completion<void> done;
  loop::Group group(scope);
  for (auto& interest : interests_) {
    auto& server = interest.attachment.server;
    Site& home = site_.gateway.home_of(server->id);
    WatchWish wish;
    wish.client = name_;
    wish.server = server;
    wish.key = interest.key;
    wish.bearer = bearer_;
    for (auto& uri : uris) {
      if (is_at(uri, server->id)) wish.uris.insert(resolve_uri(*project_, uri)->upstream_name);
    }
    Function<loop::Task<Result<void>>(loop::Scope&)> work = [&home, wish = std::move(wish)](loop::Scope& there) {
      return home.watches.want(wish, there);
    };
    ++left;
    auto task = on_loop<void>(site_.loop, home.loop, home.group, std::move(work), group.scope());
    group.spawn(std::move(task), [&left, &done](Result<void>) {
      if (--left == 0) done.resolve({});
    });
  }
  if (--left == 0) co_return Result<void>();
  auto all = co_await done.wait(scope);
  co_return all;
}

bool covers(const std::set<std::string>& uris, std::string_view uri) {
  if (uris.empty()) return false;
  if (uris.contains(std::string(uri))) return true;
  for (size_t at = uri.find_last_of("/?#"); at != std::string_view::npos && at > 0; at = uri.find_last_of("/?#", at - 1)) {
    if (uris.contains(std::string(uri.substr(0, at))) || uris.contains(std::string(uri.substr(0, at + 1)))) return true;
  }
  return false;
}

}  // namespace mcptoken::gateway
