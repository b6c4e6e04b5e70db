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

namespace {

// What of the project's servers the caller may hear of, and wants to.
std::vector<Interest> interests_of(const ProjectView& project, const rbac::Principal& who, const CallerShare& own, uint8_t kinds) {
  std::vector<Interest> out;
  CallerShare shared = own;
  shared.capabilities = 0;  // a client that listens is no reason for a process of its own
  for (auto& attachment : project.attachments) {
    Interest interest;
    interest.attachment = attachment;
    interest.key = key_for(*attachment.server, shared);
    interest.shares = {interest.key.share, key_for(*attachment.server, own).share};
    for (auto& row : kKinds) {
      const uint8_t bit = bit_of(row.kind);
      if ((kinds & bit) && may_use_any(project, who, row.kind, attachment.server->name)) interest.kinds |= bit;
    }
    if (interest.kinds != 0) out.push_back(std::move(interest));
  }
  return out;
}

}  // namespace

Listener::Listener(Exchange& exchange, const Client& client, uint8_t kinds)
    : site_(exchange.site),
      responder_(exchange.responder),
      link_(exchange.link),
      who_(exchange.caller.who),
      share_(share_of(exchange, client)),
      kinds_(kinds),
      project_(exchange.caller.project),
      interests_(interests_of(*project_, *who_, share_, kinds_)),
      name_("listen:" + exchange.site.next_token()),
      heartbeat_(exchange.site.loop) {
  site_.listeners.push_back(this);
  link_.follow = [this](std::shared_ptr<const ProjectView> project) { follow(std::move(project)); };
  heartbeat_.start(limits::kHeartbeatMs, [this] { responder_.write(":\n\n"); }, limits::kHeartbeatMs);
}

Listener::~Listener() {
  link_.follow = nullptr;
  site_.listeners.remove(this);
  forget_watches(interests_, name_);
}

// The new streams are wanted before the old ones are given up: one that both mean stays open.
void Listener::follow(std::shared_ptr<const ProjectView> project) {
  project_ = std::move(project);
  const auto interests = std::exchange(interests_, interests_of(*project_, *who_, share_, kinds_));
  const auto name = std::exchange(name_, "listen:" + site_.next_token());
  auto watching = watch(uris(), group_.scope());
  group_.spawn(std::move(watching));
  forget_watches(interests, name);
  for (auto& row : kKinds) {  // templates have no notification of their own
    if (row.kind != Kind::templates && (kinds_ & bit_of(row.kind))) tell_changed(row.kind);
  }
}

void Listener::forget_watches(const std::vector<Interest>& interests, const std::string& name) {
  for (auto& interest : interests) {
    Site& home = site_.gateway.home_of(interest.attachment.server->id);
    home.loop.post([&home, name] { home.watches.forget(name); });
  }
}

bool Listener::is_at(std::string_view uri, const std::string& server_id) const {
  auto target = resolve_uri(*project_, uri);
  return target && target->attachment->server->id == server_id;
}

void Listener::changed(const std::string& server_id, Kind kind) {
  for (auto& interest : interests_) {
    if (interest.attachment.server->id == server_id && interest.wants(kind)) return tell_changed(kind);
  }
}

void Listener::tools_changed(const std::string& token_sha, const std::string& project_id) {
  if (token_sha != who_->token_sha || project_id != project_->id) return;
  for (auto& interest : interests_) {
    if (interest.wants(Kind::tools)) return tell_changed(Kind::tools);
  }
}

void Listener::tell_changed(Kind kind) {
  std::string own = meta("");
  send(sse_event(mcp::notification(row_of(kind).changed, own.empty() ? "" : "{\"_meta\":" + own + "}")));
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
    wish.bearer = share_.bearer;
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
