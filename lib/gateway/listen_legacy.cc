// The stream of a legacy session for what belongs to no request (2025-11-25, listening for messages from the server), and
// what a session has asked for with requests of its own: resources and a log level.
#include <algorithm>

#include "base/limits.h"
#include "gateway/hop.h"
#include "gateway/listener.h"
#include "gateway/log_level.h"
#include "gateway/resume.h"
#include "gateway/subject.h"
#include "gateway/uri.h"
#include "gateway/view.h"
#include "json/writer.h"
#include "mcp/rewrite.h"

namespace mcptoken::gateway {
namespace {

// One listen stream per session, over all loops: the session's owner keeps the claims. Released with the object, whether
// the owner's answer was waited for or not: the release follows the request in the owner's mailbox.
class Claim {
 public:
  Claim(Site& site, Site& owner, const SessionId& session)
      : site_(site), owner_(owner), key_(claim_key(session.share)), mark_(site.next_mark()) {}
  ~Claim() {
    owner_.loop.post([&owner = owner_, key = key_, mark = mark_] {
      auto it = owner.claims.find(key);
      if (it != owner.claims.end() && it->second == mark) owner.claims.erase(it);
    });
  }
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;

  // False: another stream has it.
  loop::Task<Result<bool>> take(loop::Scope& scope) {
    Function<loop::Task<Result<bool>>(loop::Scope&)> work = [&owner = owner_, key = key_, mark = mark_](loop::Scope&) {
      return insert(owner, key, mark);
    };
    auto task = on_loop<bool>(site_.loop, owner_.loop, owner_.group, std::move(work), scope);
    auto taken = co_await task;
    co_return taken;
  }

 private:
  static loop::Task<Result<bool>> insert(Site& owner, ClaimKey key, uint64_t mark) {
    co_return owner.claims.emplace(key, mark).second;
  }
  Site& site_;
  Site& owner_;
  const ClaimKey key_;
  const uint64_t mark_;  // tells this claim from a later one of the same session
};

class SessionListener final : public Listener {
 public:
  SessionListener(Exchange& exchange, const Client& client, std::unique_ptr<Claim> claim)
      : Listener(exchange, client, kEveryKind), claim_(std::move(claim)) {}

  void all_changed() {
    for (Kind kind : {Kind::tools, Kind::prompts, Kind::resources}) send(sse_event(mcp::notification(row_of(kind).changed, "")));
  }
  void end(const Error& reason) override {
    responder_.write(": " + reason.message + "\n\n");
    responder_.end_stream();
  }

 private:
  const std::set<std::string>& uris() const override {
    static const std::set<std::string> none;
    const SessionState* state = site_.sessions.empty() ? nullptr : site_.state_of(own_share());
    return state ? state->uris : none;
  }
  std::string meta(std::string kept) const override { return kept; }
  const std::unique_ptr<Claim> claim_;
};

Error needs_session() {
  return Error(Status::invalid, "this needs a session: initialize first").with_rpc(mcp::rpc::kInvalidRequest);
}

// All loops know what a session has asked for. False: too much is remembered already.
bool remember(const Exchange& exchange, const SessionId& session, std::function<void(SessionState&)> change) {
  SessionState* state = exchange.site.make_state(session.share, session.owner);
  if (!state) return false;
  change(*state);
  exchange.site.gateway.tell_all([share = session.share, owner = session.owner, change](Site& site) {
    if (SessionState* there = site.make_state(share, owner)) change(*there);
  });
  return true;
}

}  // namespace

loop::Task<Result<void>> listen_legacy(Exchange& exchange) {
  if (!admit_to_session(exchange)) co_return Result<void>();
  if (!accepts(exchange.request, "text/event-stream")) {
    respond_plain(exchange, 406);
    co_return Result<void>();
  }
  auto session = session_of(exchange);
  if (!session) {
    refuse(exchange, "null", session.error(), session.error().http);
    co_return Result<void>();
  }
  bool repeated = false;
  if (const auto last = exchange.request.header("last-event-id", &repeated); last && !last->empty()) {
    auto resuming = resume_legacy(exchange, **session, std::string(repeated ? std::string_view() : *last));
    auto resumed = co_await resuming;
    co_return resumed;
  }
  Site& owner = exchange.site.gateway.site((*session)->owner % exchange.site.gateway.sites());
  auto claim = std::make_unique<Claim>(exchange.site, owner, **session);
  auto taking = claim->take(exchange.link.scope);
  MCPT_CO_TRY(bool taken, co_await taking);
  if (!taken) {
    refuse(exchange, "null", Error(Status::conflict, "the session has a stream already").with_rpc(mcp::rpc::kInvalidRequest), 409);
    co_return Result<void>();
  }
  Client client;
  client.session = *session;
  client.capabilities = client.declared = client.session->capabilities;
  auto standing = std::make_unique<SessionListener>(exchange, client, std::move(claim));
  SessionListener& listener = *standing;
  exchange.link.standing = std::move(standing);
  exchange.responder.start_stream(event_stream_headers());
  exchange.link.listens = true;
  // A session from before the start had subscriptions that nobody knows of any more: the client has to look again.
  if (client.session->issued_ms / 1000 < exchange.site.gateway.started_ms() / 1000) listener.all_changed();
  auto watching = listener.watch({}, exchange.link.scope);
  auto watched = co_await watching;
  if (!watched && !exchange.link.scope.cancelled()) exchange.site.gateway.options().log.info(watched.error().message);
  co_return Result<void>();
}


loop::Task<Result<void>> serve_set_level(Exchange& exchange, Client& client, MessagePtr message, Answer& answer) {
  auto level = message->string_param("level");
  if (!client.session) {
    refuse(exchange, answer, message->id(), needs_session());
  } else if (!level || !log_rank(*level)) {
    Error bad_level = Error(Status::invalid, "params.level is none of the levels").with_rpc(mcp::rpc::kInvalidParams);
    refuse(exchange, answer, message->id(), bad_level);
  } else if (!remember(exchange, *client.session, [level = *level](SessionState& state) { state.log_level = level; })) {
    refuse(exchange, answer, message->id(), too_many_sessions());
  } else {
    answer.finish(200, mcp::result_message(message->id(), "{}"));
  }
  co_return Result<void>();
}

namespace {

// Has the server tell of a resource, on the connection that the client's calls go by; on the home loop, wherever the request
// arrived. `name` is what Watches are to call the wish.
loop::Task<Result<void>> subscribe(const Exchange& exchange, const Client& client, const Target& target, std::string name) {
  auto& server = target.attachment->server;
  Site& site = exchange.site;
  Site& home = site.gateway.home_of(server->id);
  loop::Scope scope(exchange.link.scope);
  loop::Deadline deadline(site.loop, scope, limits::kFirstByteMs, Error(Status::timeout, server->name + ": no answer in time"));
  auto choosing = site.upstreams.choose(server, share_of(exchange, client), scope);
  WatchWish wish;
  MCPT_CO_TRY(wish.key, co_await choosing);
  wish.client = std::move(name);
  wish.server = server;
  wish.bearer = exchange.caller.to_control_plane;
  wish.uris = {target.upstream_name};
  Function<loop::Task<Result<void>>(loop::Scope&)> work = [&home, wish = std::move(wish)](loop::Scope& there) {
    return home.watches.want(wish, there);
  };
  auto task = on_loop<void>(site.loop, home.loop, home.group, std::move(work), scope);
  auto told = co_await task;
  co_return told;
}

}  // namespace

loop::Task<Result<void>> serve_subscription(Exchange& exchange, Client& client, MessagePtr message, Answer& answer) {
  auto& project = *exchange.caller.project;
  auto uri = message->string_param("uri");
  auto refuse_with = [&](const Error& error) { refuse(exchange, answer, message->id(), error); };
  if (!client.session) {
    refuse_with(needs_session());
    co_return Result<void>();
  }
  if (!uri) {
    refuse_with(Error(Status::invalid, "params.uri is required").with_rpc(mcp::rpc::kInvalidParams));
    co_return Result<void>();
  }
  bool on = message->method() == "resources/subscribe";
  auto target = resolve_uri(project, *uri);
  CallRecord record = record_of(exchange, client, std::string(message->method()) + " " + uri->substr(0, uri->find_first_of("?#")));
  if (target) record.server = target->attachment->server->name;
  if (!target || !may_use(project, *exchange.caller.who, Kind::resources, record.server, target->upstream_name)) {
    record.outcome = CallOutcome::denied;
    record.detail = "the token may not use this server's resources and prompts";
    exchange.site.gateway.plane().record(exchange.site.index, std::move(record), ControlPlane::Place::any);
    refuse_with(unknown_key(Kind::resources, *uri, client.era));
    co_return Result<void>();
  }
  const SessionId& session = *client.session;
  const SessionState* known = exchange.site.state_of(session.share);
  bool full = on && known && known->uris.size() >= limits::kSubscriptions;
  auto change = [uri = *uri, on](SessionState& state) { on ? void(state.uris.insert(uri)) : void(state.uris.erase(uri)); };
  if (full || !remember(exchange, session, change)) {
    Error too_many = Error(Status::limit, "the session has too many subscriptions").with_rpc(mcp::rpc::kInvalidRequest);
    refuse_with(full ? too_many : too_many_sessions());
    co_return Result<void>();
  }
  auto& server = target->attachment->server;
  Site& home = exchange.site.gateway.home_of(server->id);
  const std::string name = session.share + " " + *uri;
  Result<void> told;
  if (on) {
    auto task = subscribe(exchange, client, *target, name);
    told = co_await task;
  }
  if (!on || !told) home.loop.post([&home, name] { home.watches.forget(name); });
  if (!told) {
    remember(exchange, session, [uri = *uri](SessionState& state) { state.uris.erase(uri); });
    record.outcome = told.error().rpc != 0 ? CallOutcome::protocol_error : CallOutcome::transport_error;
    record.detail = told.error().message;
    Error error = told.error();
    if (error.rpc == 0) error.rpc = mcp::rpc::kInternalError;
    error.data.clear();
    refuse_with(error);
  } else {
    answer.finish(200, mcp::result_message(message->id(), "{}"));
  }
  exchange.site.gateway.plane().record(exchange.site.index, std::move(record), ControlPlane::Place::any);
  co_return Result<void>();
}

}  // namespace mcptoken::gateway
