#include "gateway/listener.h"

#include <algorithm>

#include "base/limits.h"
#include "gateway/hop.h"
#include "gateway/log_level.h"
#include "gateway/uri.h"
#include "gateway/view.h"
#include "json/edit.h"
#include "json/writer.h"
#include "mcp/input_request.h"
#include "mcp/rewrite.h"

namespace mcptoken::gateway {

namespace {

// What of the project's servers the caller may hear of, and wants to.
std::vector<Interest> interests_of(const ProjectView& project, const rbac::Principal& who, const CallerShare& own, uint8_t kinds) {
  std::vector<Interest> out;
  CallerShare shared = own;
  shared.capabilities = 0;  // a client that listens is no reason for a process of its own
  for (auto& attachment : project.attachments) {
    const auto wanted = [&](const KindRow& row) {
      return (kinds & bit_of(row.kind)) && may_use_any(project, who, row.kind, attachment.server->name);
    };
    if (std::none_of(std::begin(kKinds), std::end(kKinds), wanted)) continue;
    Interest interest;
    interest.attachment = attachment;
    interest.key = key_for(*attachment.server, shared);
    interest.shares = {interest.key.share, key_for(*attachment.server, own).share};
    out.push_back(std::move(interest));
  }
  return out;
}

}  // namespace

Listener::Listener(Exchange& exchange, const Client& client, uint8_t kinds)
    : site_(exchange.site),
      responder_(exchange.responder),
      link_(exchange.link),
      who_(exchange.caller.who),
      bearer_(exchange.caller.to_control_plane),
      session_(client.session ? client.session->nonce : exchange.caller.request_id),
      capabilities_(client.capabilities),
      kinds_(kinds),
      has_session_(client.session != nullptr),
      project_(exchange.caller.project),
      name_("listen:" + exchange.site.next_token()),
      beat_ms_(exchange.site.loop.now_ms() + limits::kHeartbeatMs) {
  site_.listeners.insert(this);
  site_.meter.listeners.set(static_cast<int64_t>(site_.listeners.size()));
  link_.follow = [this](std::shared_ptr<const ProjectView> project) { follow(std::move(project)); };
}

Listener::~Listener() {
  link_.follow = nullptr;
  Error gone(Status::cancelled, "the client does not listen any more");
  if (asked_) asked_->refuse(std::move(gone).with_rpc(mcp::rpc::kInternalError));
  site_.listeners.erase(this);
  site_.meter.listeners.set(static_cast<int64_t>(site_.listeners.size()));
  forget_watches(interests(), name_);
}

CallerShare Listener::share() const {
  CallerShare out;
  out.project = project_;
  out.who = who_;
  out.alone = own_share();
  out.capabilities = capabilities_;
  out.bearer = bearer_;
  return out;
}

std::vector<Interest> Listener::interests() const { return interests_of(*project_, *who_, share(), kinds_); }

// The new streams are wanted before the old ones are given up: one that both mean stays open.
void Listener::follow(std::shared_ptr<const ProjectView> project) {
  const auto before = interests();
  project_ = std::move(project);
  const auto name = std::exchange(name_, "listen:" + site_.next_token());
  if (!following_) following_ = std::make_unique<loop::Group>();
  auto watching = watch(uris(), following_->scope());
  following_->spawn(std::move(watching));
  forget_watches(before, name);
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

void Listener::beat(int64_t now_ms) {
  if (now_ms < beat_ms_) return;
  beat_ms_ = now_ms + limits::kHeartbeatMs;
  responder_.write(":\n\n");
}

bool Listener::is_at(std::string_view uri, const std::string& server_id) const {
  auto target = resolve_uri(*project_, uri);
  return target && target->attachment->server->id == server_id;
}

bool Listener::wants(Kind kind, const Attachment& attachment) const {
  return (kinds_ & bit_of(kind)) && may_use_any(*project_, *who_, kind, attachment.server->name);
}

void Listener::changed(const std::string& server_id, Kind kind) {
  for (auto& attachment : project_->attachments) {
    if (attachment.server->id == server_id && wants(kind, attachment)) return tell_changed(kind);
  }
}

void Listener::tools_changed(const std::string& token_sha, const std::string& project_id) {
  if (token_sha != who_->token_sha || project_id != project_->id) return;
  for (auto& attachment : project_->attachments) {
    if (wants(Kind::tools, attachment)) return tell_changed(Kind::tools);
  }
}

void Listener::tell_changed(Kind kind) {
  std::string own = meta("");
  send(sse_event(mcp::notification(row_of(kind).changed, own.empty() ? "" : "{\"_meta\":" + own + "}")));
}

void Listener::updated(const std::string& server_id, const std::string& share, const mcp::Message& message) {
  auto uri = message.string_param("uri");
  if (!uri || uris().empty()) return;
  for (auto& interest : interests()) {
    auto& shares = interest.shares;
    if (interest.attachment.server->id != server_id || std::find(shares.begin(), shares.end(), share) == shares.end()) continue;
    std::string exposed = exposed_uri(interest.attachment, *uri);
    if (covers(uris(), exposed)) tell_updated(exposed, &message);
  }
}

void Listener::suspect(const std::string& server_id, const std::string& share) {
  if (uris().empty()) return;
  for (auto& interest : interests()) {
    auto& shares = interest.shares;
    if (interest.attachment.server->id != server_id || std::find(shares.begin(), shares.end(), share) == shares.end()) continue;
    for (auto& uri : std::set(uris())) {
      if (is_at(uri, server_id)) tell_updated(uri, nullptr);
    }
  }
}

void Listener::ask(const std::string& server_id, const mcp::Message& message, uint64_t asker, Function<void(std::string)> reply) {
  const auto& attachments = project_->attachments;
  const auto from = std::find_if(attachments.begin(), attachments.end(), [&](const auto& one) { return one.server->id == server_id; });
  if (!asked_) asked_ = std::make_unique<Asked>(site_, own_share());
  asked_->forget_answered();
  if (mcp::takes_request(capabilities_, message) && from != attachments.end() && asked_->made() < limits::kAsksPerCall) {
    if (auto question = asked_->ask(message, *from, asker, reply)) return send(sse_event(*question));
  }
  Error error(Status::not_supported, "the client does not offer this");
  reply(mcp::error_message(message.id(), std::move(error).with_rpc(mcp::rpc::kMethodNotFound)));
}

void Listener::withdraw(const mcp::Message& notification, uint64_t asker) {
  auto told = asked_ ? asked_->withdraw(notification, asker) : std::nullopt;
  if (told) send(sse_event(*told));
}

void Listener::hear(const mcp::Message& notification) {
  const SessionState* state = site_.sessions.empty() ? nullptr : site_.state_of(own_share());
  if (notification.method() == "notifications/message" && state && !is_wanted(state->log_level, notification)) return;
  json::Edits edits(notification.outline());
  mcp::drop_unknown_members(notification, edits);
  send(sse_event(json::apply(notification.text(), notification.outline().root().value, edits.sorted())));
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
  for (auto& interest : interests()) {
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
