// What servers say unasked: subscriptions/listen of the modern era, the server's own stream of the legacy one, log lines.
#include "gateway/hop.h"
#include "gateway/log_level.h"
#include "gateway/questions.h"
#include "gateway/site.h"
#include "json/writer.h"
#include "mcp/rewrite.h"

namespace mcptoken::gateway {
namespace {

constexpr int kTakeOverTries = 4;
constexpr int64_t kTakeOverMs = 100;

// The first message of a subscription says that it is in force.
class Acknowledgement final : public mcp::Events {
 public:
  explicit Acknowledgement(Function<void()> on_open) : on_open_(std::move(on_open)) {}
  void on_notification(mcp::Message message) override {
    if (message.method() != "notifications/subscriptions/acknowledged" || !on_open_) return;
    auto once = std::exchange(on_open_, nullptr);
    once();
  }
  void on_request(mcp::Message message, Function<void(std::string)> reply) override {
    Error error = Error(Status::not_supported, "the client does not offer this").with_rpc(mcp::rpc::kMethodNotFound);
    reply(mcp::error_message(message.id(), error));
  }

 private:
  Function<void()> on_open_;
};

std::string listen_params(std::string_view client_info, const std::set<std::string>& uris) {
  mcp::PeerIdentity identity;
  identity.client_info = client_info;
  std::string out;
  json::Writer writer(out);
  writer.begin_object().raw_member("_meta", mcp::modern_meta(identity)).key("notifications").begin_object();
  for (std::string_view wish : {"toolsListChanged", "promptsListChanged", "resourcesListChanged"}) writer.member(wish, true);
  if (!uris.empty()) {
    writer.key("resourceSubscriptions").begin_array();
    for (auto& uri : uris) writer.string(uri);
    writer.end_array();
  }
  writer.end_object().end_object();
  return out;
}

}  // namespace

loop::Task<Result<mcp::PeerInfo>> Upstreams::info(std::shared_ptr<const ServerSpec> server, UpstreamKey key, BearerPtr bearer,
                                                  loop::Scope& scope) {
  auto getting = get(server, key, bearer, scope);
  MCPT_CO_TRY(auto entry, co_await getting);
  co_return entry->peer->info();
}

loop::Task<Result<UpstreamKey>> Upstreams::choose(std::shared_ptr<const ServerSpec> server, CallerShare caller, loop::Scope& scope) {
  if (caller.capabilities == 0 || server->relayed) co_return key_for(*server, caller);
  CallerShare plain = caller;
  plain.capabilities = 0;
  auto shared = key_for(*server, plain);
  auto lists = list_key_for(*server, caller);  // there already, when the client has looked
  Site& home = server->transport == Transport::stdio ? site_.gateway.home_of(server->id) : site_;
  Function<loop::Task<Result<mcp::PeerInfo>>(loop::Scope&)> work = [&home, server, lists,
                                                                     bearer = caller.bearer](loop::Scope& there) {
    return home.upstreams.info(server, lists, bearer, there);
  };
  auto task = on_loop<mcp::PeerInfo>(site_.loop, home.loop, home.group, std::move(work), scope);
  MCPT_CO_TRY(auto info, co_await task);
  co_return info.era == mcp::Era::modern ? shared : key_for(*server, caller);
}

loop::Task<Result<void>> Upstreams::listen(std::shared_ptr<const ServerSpec> server, UpstreamKey key, BearerPtr bearer,
                                           std::set<std::string> uris, Function<void()> on_open, loop::Scope& scope) {
  auto getting = get(server, key, bearer, scope);
  MCPT_CO_TRY(auto entry, co_await getting);
  auto peer = entry->peer;
  loop::Scope within(scope);
  Busy busy(entry->calls, entry->end, within);
  if (peer->info().era == mcp::Era::legacy) {
    Only only(*this, entry);
    bool opened = false;
    auto once = std::make_shared<Function<void()>>(std::move(on_open));
    for (int tries = 0;; ++tries) {
      Function<void()> open_now = [&opened, once] {
        opened = true;
        (*once)();
      };
      auto task = peer->listen(std::move(open_now), within);
      auto ended = co_await task;
      if (!ended) ended = fail(entry->instance.redactor()->apply(std::move(ended).error()));
      if (opened || !may_be_asked(*entry->server, entry->key) || tries >= kTakeOverTries || within.cancelled()) co_return ended;
      // The server may not have seen yet that the stream which was kept for questions has gone, and has one at a time.
      loop::Sleep pause(site_.loop, kTakeOverMs << tries);
      MCPT_CO_CHECK(co_await pause.wait(within));
    }
  }
  std::string params = listen_params(site_.gateway.options().client_info, uris);
  std::vector<std::string_view> pieces{params};
  mcp::Call one("subscriptions/listen", pieces);
  Acknowledgement events(std::move(on_open));
  auto task = peer->call(one, &events, within);
  auto answer = co_await task;
  if (!answer) co_return fail(entry->instance.redactor()->apply(std::move(answer).error()));
  if (answer->kind() == mcp::MessageKind::error) co_return fail(entry->instance.redactor()->apply(answer->to_error().in(server->name)));
  co_return fail(Status::network, server->name + ": the server has ended its stream");
}

// A legacy server has one level for the whole connection: the most talkative that anybody on it wants. What is more than a
// client wants is left out on its way.
loop::Task<Result<void>> Upstreams::raise_log_level(std::shared_ptr<Entry> entry, std::string level, loop::Scope& scope) {
  auto peer = entry->peer;
  const std::string& session = peer->info().session_id;  // a new one begins without a level
  if (session == entry->log_session && !entry->log_level.empty() && log_rank(entry->log_level) <= log_rank(level)) co_return Result<void>();
  entry->log_level = level;
  entry->log_session = session;
  std::string params = "{\"level\":" + json::quoted(level) + "}";
  std::vector<std::string_view> pieces{params};
  mcp::Call one("logging/setLevel", pieces);
  auto task = peer->call(one, nullptr, scope);
  auto answer = co_await task;
  if (!answer) entry->log_level.clear();
  if (!answer) co_return fail(std::move(answer).error());
  co_return Result<void>();  // a refusal means fewer lines, not that the call must not be made
}

}  // namespace mcptoken::gateway
