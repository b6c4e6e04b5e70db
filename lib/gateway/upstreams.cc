#include "gateway/upstreams.h"

#include <algorithm>

#include "base/limits.h"
#include "gateway/hop.h"
#include "gateway/questions.h"
#include "gateway/relay_events.h"
#include "gateway/site.h"
#include "mcp/sse_peer.h"

namespace mcptoken::gateway {
namespace {

constexpr int64_t kFirstBackoffMs = 100;
constexpr int64_t kStableMs = 30'000;         // a server that has run for so long begins anew when it fails
constexpr int64_t kRelayedBackoffMs = 1'000;  // the control plane has the server's own backoff
constexpr int64_t kTrialMs = 500;             // between two calls that try a server whose circuit is open, over all loops
constexpr int64_t kIdleMs = 5 * 60'000;
constexpr int64_t kLeaveMs = 1'000;           // for taking leave of an HTTP server
constexpr int64_t kSweepMs = 15'000;
constexpr int64_t kProbeTickMs = 1'000;  // how exactly the intervals of probes are kept

uint16_t complaint_number(const Result<mcp::Message>& answer) {
  if (!answer) return error_number(answer.error());
  if (answer->kind() == mcp::MessageKind::error) return error_number(answer->to_error());
  const json::Node* is_error = answer->in_result("isError");
  return is_error && answer->outline().raw(*is_error) == "true" ? tool_error_number() : metrics::Names::kNone;
}

// Whether the failure of a call says that the server is not there, and not that it does not like the call.
bool is_away(const Error& error, bool is_process) {
  if (error.status == Status::timeout) return true;
  return !is_process && (error.status == Status::network || error.status == Status::unavailable || error.http >= 500);
}

}  // namespace

namespace {

UpstreamKey make_key(const ServerSpec& server, const CallerShare& caller, bool exclusive) {
  UpstreamKey key;
  key.server_id = server.id;
  key.version = server.version;
  key.capabilities = caller.capabilities;
  switch (exclusive ? Share::session : server.share) {
    case Share::installation: break;
    case Share::project: key.share = "project:" + caller.project->id; break;
    case Share::principal: key.share = "token:" + caller.who->token_sha; break;
    case Share::session: key.share = "session:" + caller.session; break;
  }
  if (server.relayed && exclusive) key.share += "/token:" + caller.who->token_sha;  // a holder could forge his session's name
  return key;
}

// How many processes of it there may be.
size_t most_processes(const ServerSpec& server) { return static_cast<size_t>(std::max(limits::kProcessesPerServer, server.replicas)); }

}  // namespace

UpstreamKey key_for(const ServerSpec& server, const CallerShare& caller) {
  // Through the control plane a process with capabilities is found by the session that we have there.
  return make_key(server, caller, (server.transport != Transport::http || server.relayed) && caller.capabilities != 0);
}

UpstreamKey list_key_for(const ServerSpec& server, const CallerShare& caller) {
  return server.relayed ? key_for(server, caller) : make_key(server, caller, false);
}

Upstreams::Upstreams(Site& site) : site_(site), sweeper_(site.loop), prober_(site.loop) {
  sweeper_.start(kSweepMs, [this] { sweep(); }, kSweepMs);
  prober_.start(
      kProbeTickMs,
      [this] {
        probe_due();
        count_states();
      },
      kProbeTickMs);
}

Upstreams::~Upstreams() = default;

loop::Task<Result<UpstreamAnswer>> Upstreams::call(const UpstreamCall& call, mcp::Events* events, loop::Scope& scope) {
  Site& home = call.server->transport == Transport::stdio ? site_.gateway.home_of(call.server->id) : site_;
  return &home == &site_ ? call_here(call, events, scope) : call_there(home, call, events, scope);
}

loop::Task<Result<UpstreamAnswer>> Upstreams::call_there(Site& home, const UpstreamCall& call, mcp::Events* events,
                                                         loop::Scope& scope) {
  auto relay = std::make_shared<Relay>();
  Aim aim(*relay, events);
  Function<loop::Task<Result<UpstreamAnswer>>(loop::Scope&)> work =
      [&home, relayed = std::make_shared<RelayEvents>(site_.loop, home.loop, relay), has_events = events != nullptr,
       call](loop::Scope& there) {
        return home.upstreams.call_here(call, has_events ? relayed.get() : nullptr, there);
      };
  auto task = on_loop<UpstreamAnswer>(site_.loop, home.loop, home.group, std::move(work), scope);
  auto answer = co_await task;
  co_return answer;
}

loop::Task<Result<UpstreamAnswer>> Upstreams::call_here(const UpstreamCall& call, mcp::Events* events,
                                                        loop::Scope& scope) {
  std::optional<UpstreamKey> replica;
  if (call.any_replica && call.server->replicas > 1) replica = least_busy(*call.server, call.key);
  const UpstreamKey& key = replica ? *replica : call.key;
  auto entry = find_ready(key);
  if (!entry) {
    auto getting = get(call.server, key, call.bearer, scope);
    MCPT_CO_TRY(entry, co_await getting);
  }
  const auto verdict = entry->breaker.ask(site_.loop.now_ms());
  if (verdict == Breaker::Verdict::wait) co_return fail(*entry->last_error);
  Trial trial(*entry, verdict == Breaker::Verdict::trial);
  auto& info = entry->peer->info();
  if (!call.capability.empty() && !mcp::declares(info, call.capability)) {
    std::string text = call.server->name + ": the server does not offer this";
    co_return fail(Error(Status::not_supported, std::move(text)).with_rpc(mcp::rpc::kMethodNotFound));
  }
  if (info.era == mcp::Era::legacy && !call.log_level.empty() && mcp::declares(info, "logging")) {
    auto raising = raise_log_level(entry, call.log_level, scope);
    MCPT_CO_CHECK(co_await raising);
  }
  mcp::HopMeta hop;
  hop.era = info.era;
  std::string capabilities = mcp::capabilities_json(call.capabilities);
  hop.capabilities = capabilities;
  std::string client_info = call.client_info.empty() ? site_.gateway.options().client_info : call.client_info;
  hop.client_info = client_info;
  hop.log_level = call.log_level;
  hop.trace_parent = call.trace.parent;
  hop.trace_state = call.trace.state;
  hop.progress_token = call.progress_token;
  mcp::HopParams params(*call.request, hop, call.edits);
  mcp::Call one(call.method, params.pieces());
  one.name = call.name;
  one.progress_token = call.progress_token;
  one.headers = call.headers;
  auto peer = entry->peer;
  loop::Scope within(scope);
  Busy busy(entry->calls, entry->end, within);
  const int64_t began_ns = metrics::now_ns();
  std::optional<Questions::Heard> heard;
  if (entry->questions && events) heard.emplace(*entry->questions, *events);
  auto task = peer->call(one, events, within);
  auto answer = co_await task;
  entry->last_used_ms = site_.loop.now_ms();
  site_.meter.count_asked(call.method, complaint_number(answer), call.server->name, began_ns);
  const bool given_up = within.cancelled() && within.reason().status != Status::timeout;  // by the caller, or by us
  judge(*entry, answer, given_up);
  if (!answer && entry->end.cancelled() && !scope.cancelled()) co_return fail(entry->end.reason());
  if (!answer) co_return fail(std::move(answer).error());
  UpstreamAnswer out(*std::move(answer), hop.era);
  co_return out;
}

// What an answer says does not matter: who answers is there. A process that ends has a backoff of its own.
void Upstreams::judge(Entry& entry, const Result<mcp::Message>& answer, bool given_up) {
  if (!answer && given_up) return;
  entry.instance.note_answer(answer.has_value());
  const bool was_open = entry.breaker.state() != Circuit::closed;
  if (answer || !is_away(answer.error(), entry.process != nullptr)) {
    entry.breaker.succeeded();
    if (was_open) entry.instance.happened("answers again: the circuit is closed");
    return;
  }
  if (!entry.breaker.failed(site_.loop.now_ms())) return;
  entry.last_error = answer.error();
  const int64_t pause_ms = entry.breaker.retry_at_ms() - site_.loop.now_ms();
  entry.instance.happened("the circuit is open for " + std::to_string(pause_ms) + " ms: " + answer.error().message);
}

std::shared_ptr<Upstreams::Entry> Upstreams::find_ready(const UpstreamKey& key) {
  const auto at = stopping_ ? entries_.end() : entries_.find(key);
  if (at == entries_.end() || !at->second->ready()) return nullptr;
  at->second->last_used_ms = site_.loop.now_ms();
  return at->second;
}

loop::Task<Result<std::shared_ptr<Upstreams::Entry>>> Upstreams::get(std::shared_ptr<const ServerSpec> server, UpstreamKey key,
                                                                     BearerPtr bearer, loop::Scope& scope) {
  if (stopping_) co_return fail(Status::unavailable, "the gateway is shutting down");
  if (server->replicas == 0) co_return fail(Status::unavailable, server->name + ": the server is switched off (it has 0 replicas)");
  auto& slot = entries_[key];
  if (!slot) {
    auto id = crypto::random_id();
    if (!id) {
      entries_.erase(key);
      co_return fail(std::move(id).error());
    }
    // Loops do not tell each other: each has its part of the two trials that a server is asked in a second.
    Breaker breaker(kTrialMs * static_cast<int64_t>(site_.gateway.sites()),
                    [&gateway = site_.gateway](int64_t below) { return gateway.jitter(below); });
    slot = std::make_shared<Entry>(server, key, Instance(site_.loop.clock(), *std::move(id), server->name), std::move(breaker));
  }
  auto entry = slot;
  entry->last_used_ms = site_.loop.now_ms();
  if (entry->ready()) co_return entry;
  if (!entry->opening.running() && site_.loop.now_ms() < entry->retry_at_ms) co_return fail(*entry->last_error);
  Function<loop::Task<Result<void>>()> start = [this, entry, bearer] { return open(entry, bearer); };
  auto task = entry->opening.join(group_, std::move(start), scope);
  MCPT_CO_CHECK(co_await task);
  co_return entry;
}

loop::Task<Result<void>> Upstreams::open(std::shared_ptr<Entry> entry, BearerPtr bearer) {
  entry->instance.opening();
  auto task = connect(entry, std::move(bearer));
  auto opened = co_await task;
  if (opened && entry->retired) opened = fail(entry->end.reason());
  if (!opened) {
    entry->peer.reset();
    entry->process.reset();
    failed(*entry, opened.error());
    site_.meter.count_opening(entry->server->name, false);
    co_return fail(std::move(opened).error());
  }
  entry->opened_ms = site_.loop.now_ms();
  entry->log_level.clear();
  site_.meter.count_opening(entry->server->name, true);
  want_stream(entry);
  entry->instance.opened(entry->process ? "process " + std::to_string(entry->process->pid()) : std::string());
  co_return Result<void>();
}

loop::Task<Result<void>> Upstreams::connect(std::shared_ptr<Entry> entry, BearerPtr bearer) {
  auto resolving = site_.gateway.plane().credentials(site_.loop, entry->server, std::move(bearer), group_.scope());
  MCPT_CO_TRY(auto credentials, co_await resolving);
  if (entry->retired) co_return fail(entry->end.reason());
  entry->instance.learn(credentials);
  if (entry->server->transport == Transport::stdio) {
    MCPT_CO_CHECK(make_room(*entry));
    MCPT_CO_CHECK(make_process(entry, std::move(credentials)));
  } else {
    MCPT_CO_CHECK(make_http(*entry, std::move(credentials)));
  }
  auto peer = entry->peer;
  auto task = peer->open(group_.scope());
  auto opened = co_await task;
  co_return opened;
}

void Upstreams::failed(Entry& entry, const Error& error) {
  // One that starts and then crashes has not recovered: it waits longer each time, like one that does not start.
  const int64_t opened = std::exchange(entry.opened_ms, 0);
  if (opened != 0 && site_.loop.now_ms() - opened >= kStableMs) entry.failures = 0;
  const int64_t longest = site_.gateway.options().backoff_ms;
  int64_t backoff = kFirstBackoffMs << std::min(entry.failures, 9);
  backoff = std::min(backoff, entry.server->relayed ? std::min(kRelayedBackoffMs, longest) : longest);
  backoff += site_.gateway.jitter(backoff / 4);
  ++entry.failures;
  entry.retry_at_ms = site_.loop.now_ms() + backoff;
  entry.last_error = error;
  if (!entry.retired) entry.instance.failed(error.message);
}

Result<void> Upstreams::make_process(const std::shared_ptr<Entry>& entry, std::vector<Credential> environment) {
  mcp::StdioOptions options;
  options.label = entry->server->name;
  options.identity.client_info = site_.gateway.options().client_info;
  options.identity.capabilities = entry->key.capabilities;
  options.log = site_.gateway.options().log;
  options.on_unrelated = [this, id = entry->server->id, share = entry->key.share](mcp::Message message) {
    site_.gateway.server_says(id, share, std::move(message));
  };
  options.on_exit = [this, weak = std::weak_ptr(entry)](std::string reason) {
    auto ended = weak.lock();
    if (!ended || ended->retired || ended->opening.running()) return;
    site_.gateway.options().log.warn(reason);
    failed(*ended, Error(Status::unavailable, reason));
  };
  options.on_stderr = [log = options.log, weak = std::weak_ptr(entry)](std::string_view line) {
    auto speaker = weak.lock();
    if (speaker) log.debug(speaker->server->name + ": " + speaker->instance.said(line));
  };
  auto shared = std::make_shared<std::vector<Credential>>(std::move(environment));
  options.make_spec = [this, server = entry->server, shared]() { return site_.gateway.child_spec(*server, *shared); };
  entry->process = std::make_shared<mcp::StdioPeer>(site_.loop, std::move(options));
  entry->peer = entry->process;
  return {};
}

Result<void> Upstreams::make_http(Entry& entry, std::vector<Credential> headers) {
  mcp::HttpOptions options;
  options.label = entry.server->name;
  MCPT_TRY(options.url, http::parse_url(entry.server->url));
  for (auto& header : headers) options.headers.push_back({header.name, std::string(header.value.reveal())});
  options.pool_key = entry.key.server_id + '/' + std::to_string(entry.key.version) + '/' + entry.key.share;
  options.identity.client_info = site_.gateway.options().client_info;
  options.identity.capabilities = entry.key.capabilities;
  options.http.allow_private = entry.server->allow_private;
  options.http.connect_ms = entry.server->connect_ms;
  options.http.first_byte_ms = entry.server->first_byte_ms;
  // A legacy session is what a server's questions can come back through; without them a call is better off alone.
  if (entry.server->relayed) options.era = entry.key.capabilities != 0 ? mcp::EraChoice::legacy : mcp::EraChoice::modern;
  options.log = site_.gateway.options().log;
  options.on_unrelated = [this, id = entry.server->id, share = entry.key.share](mcp::Message message) {
    site_.gateway.server_says(id, share, std::move(message));
  };
  if (entry.server->transport == Transport::sse) {
    entry.peer = std::make_shared<mcp::SsePeer>(site_.loop, site_.http, std::move(options));
    return {};
  }
  entry.http = std::make_shared<mcp::HttpPeer>(site_.loop, site_.http, std::move(options));
  entry.peer = entry.http;
  if (!has_one_client(*entry.server, entry.key)) return {};
  constexpr std::string_view kSession = "session:";
  entry.questions = std::make_shared<Questions>(site_, entry.server->id, entry.key.share.substr(kSession.size()));
  entry.http->take_requests(entry.questions.get());
  return {};
}

size_t Upstreams::processes_of(const std::string& server_id) const {
  return static_cast<size_t>(std::count_if(entries_.begin(), entries_.end(), [&](const auto& one) {
    return one.first.server_id == server_id && one.second->exists();
  }));
}

// The replica that has the least to do; another one while all are busy, there is room, and none of them fails.
UpstreamKey Upstreams::least_busy(const ServerSpec& server, UpstreamKey key) const {
  if (key.share.starts_with("session:")) return key;
  const Entry* best = nullptr;
  std::optional<int> unused;
  bool failing = false;
  for (key.replica = 0; key.replica < server.replicas; ++key.replica) {
    const auto at = entries_.find(key);
    if (at == entries_.end()) {
      if (!unused) unused = key.replica;
      continue;
    }
    const Entry& entry = *at->second;
    const bool usable = entry.ready() && entry.breaker.state() == Circuit::closed;
    failing |= !usable && !entry.opening.running();
    if (usable && (!best || entry.calls < best->calls)) best = &entry;
  }
  const bool idle = best && best->calls == 0;
  const bool room = unused && !failing && processes_of(server.id) < most_processes(server);
  key.replica = !idle && room ? *unused : best ? best->key.replica : 0;
  return key;
}

// There is a limit of processes of one server: idle ones of older versions or other sessions make room.
Result<void> Upstreams::make_room(const Entry& wanted) {
  const auto& key = wanted.key;
  std::vector<std::shared_ptr<Entry>> running;
  for (auto& [other, entry] : entries_) {
    if (other.server_id == key.server_id && other != key && entry->exists()) running.push_back(entry);
  }
  const size_t most = most_processes(*wanted.server);
  if (running.size() < most) return {};
  std::shared_ptr<Entry> oldest;
  for (auto& entry : running) {
    bool idle = entry->ready() && entry->calls == 0;
    if (idle && (!oldest || entry->last_used_ms < oldest->last_used_ms)) oldest = entry;
  }
  if (!oldest) {
    return fail(Error(Status::limit, "all " + std::to_string(most) + " processes of server " + wanted.server->name + " are in use"));
  }
  retire(oldest, "room for others is needed");
  return {};
}

// Off the list at once: who needs the server from now on gets another.
void Upstreams::retire(std::shared_ptr<Entry> entry, std::string_view why) {
  entries_.erase(entry->key);
  entry->retired = true;
  entry->instance.happened("stopping: " + std::string(why));
  entry->end.cancel(Error(Status::unavailable, entry->server->name + ": the server was stopped"));
  if (entry->http) {
    auto leaving = end_session_there(std::move(entry->http));
    endings_.spawn(std::move(leaving));
  }
  auto process = std::move(entry->process);
  if (!process) return;
  ended_.push_back(entry);
  if (ended_.size() > limits::kEndedInstances) ended_.pop_front();
  auto task = end(std::move(entry), std::move(process));
  endings_.spawn(std::move(task));
}

loop::Task<Result<void>> Upstreams::end(std::shared_ptr<Entry> entry, std::shared_ptr<mcp::StdioPeer> process) {
  auto task = process->stop(endings_.scope());
  auto stopped = co_await task;
  entry->instance.happened("stopped");
  entry->peer.reset();
  if (entry->forgotten) std::erase(ended_, entry);
  co_return stopped;
}

// A session that nobody uses any more is ended, where there is one (2025-11-25, session management).
loop::Task<Result<void>> Upstreams::end_session_there(std::shared_ptr<mcp::HttpPeer> peer) {
  loop::Scope scope(endings_.scope());
  loop::Deadline deadline(site_.loop, scope, kLeaveMs, Error(Status::timeout, "the server has not answered in time"));
  auto task = peer->close(scope);
  auto closed = co_await task;
  co_return closed;
}

void Upstreams::sweep() {
  std::vector<std::shared_ptr<Entry>> idle;
  for (auto& [key, entry] : entries_) {
    const bool old = site_.loop.now_ms() - entry->last_used_ms > kIdleMs;
    if (entry->calls == 0 && !entry->opening.running() && (old || entry->stale)) idle.push_back(entry);
  }
  for (auto& entry : idle)
    retire(entry, entry->stale ? "the definition or a secret has changed" : "nobody needs it");
}

void Upstreams::mark_stale(const Servers& present) {
  for (auto& [key, entry] : entries_) {
    auto at = present.find(key.server_id);
    entry->stale = at == present.end() || key.version < at->second->version;
  }
  sweep();
}

void Upstreams::end_session(const std::string& session) {
  std::vector<std::shared_ptr<Entry>> ended;
  for (auto& [key, entry] : entries_) {
    if (key.share == "session:" + session || key.share.starts_with("session:" + session + "/")) ended.push_back(entry);
  }
  for (auto& entry : ended)
    retire(entry, "its session has ended");
}

// --- for people

InstanceStatus Upstreams::status_of(const Entry& entry) {
  if (entry.retired) return entry.peer ? InstanceStatus::stopping : InstanceStatus::stopped;
  if (entry.opening.running()) return InstanceStatus::starting;
  return entry.ready() && entry.breaker.state() == Circuit::closed ? InstanceStatus::running : InstanceStatus::error;
}

// What is stopped is none any more.
void Upstreams::count_states() {
  StatesOfServers states;
  for (auto& [key, entry] : entries_) ++states[entry->server->name][static_cast<size_t>(status_of(*entry))];
  for (auto& entry : ended_) {
    if (status_of(*entry) == InstanceStatus::stopping) ++states[entry->server->name][static_cast<size_t>(InstanceStatus::stopping)];
  }
  site_.meter.set_upstreams(std::move(states));
}

InstanceView Upstreams::view_of(const Entry& entry) const {
  InstanceView out = entry.instance.view();
  out.server_id = entry.server->id;
  out.server = entry.server->name;
  out.site = site_.index;
  // What is exclusive belongs to a session, whatever the definition says.
  out.share = entry.key.share.starts_with("session:") ? Share::session : entry.server->share;
  out.calls = entry.calls;
  out.stale = entry.stale;
  out.circuit = entry.breaker.state();
  out.status = status_of(entry);
  if (entry.process && entry.process->alive()) out.pid = entry.process->pid();
  UpstreamKey first = entry.key;
  first.replica = 0;
  if (const auto list = site_.catalogue.known(first, Kind::tools)) {
    out.tools.emplace();
    for (const auto& item : list->items)
      out.tools->push_back(item.key);
  }
  return out;
}

std::vector<InstanceView> Upstreams::instances() const {
  std::vector<InstanceView> out;
  for (auto& [key, entry] : entries_)
    out.push_back(view_of(*entry));
  for (auto& entry : ended_)
    out.push_back(view_of(*entry));
  return out;
}

std::shared_ptr<Upstreams::Entry> Upstreams::entry_of(std::string_view id) const {
  for (auto& [key, entry] : entries_) {
    if (entry->instance.id() == id) return entry;
  }
  auto at = std::find_if(ended_.begin(), ended_.end(), [&](const auto& entry) { return entry->instance.id() == id; });
  return at == ended_.end() ? nullptr : *at;
}

const Instance* Upstreams::find_instance(std::string_view id) const {
  auto entry = entry_of(id);
  return entry ? &entry->instance : nullptr;
}

bool Upstreams::end_instance(std::string_view id) {
  auto entry = entry_of(id);
  if (!entry) return false;
  entry->forgotten = true;
  if (!entry->retired)
    retire(entry, "deleted");
  else if (!entry->peer)
    std::erase(ended_, entry);
  return true;
}

loop::Task<Result<void>> Upstreams::stop(loop::Scope& scope) {
  stopping_ = true;
  sweeper_.stop();
  prober_.stop();
  group_.cancel(Error(Status::unavailable, "the gateway is shutting down"));
  auto all = entries_;
  for (auto& [key, entry] : all)
    retire(entry, "the gateway is shutting down");
  while (endings_.size() > 0 && !scope.cancelled()) {
    loop::Sleep pause(site_.loop, 5);
    auto slept = co_await pause.wait(scope);
    if (!slept) break;
  }
  co_return Result<void>();
}

}  // namespace mcptoken::gateway
