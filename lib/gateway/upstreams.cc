#include "gateway/upstreams.h"

#include <algorithm>

#include "base/limits.h"
#include "gateway/hop.h"
#include "gateway/questions.h"
#include "gateway/relay_events.h"
#include "gateway/site.h"

namespace mcptoken::gateway {
namespace {

constexpr int64_t kFirstBackoffMs = 100;
constexpr int64_t kStableMs = 30'000;         // a server that has run for so long begins anew when it fails
constexpr int64_t kRelayedBackoffMs = 1'000;  // the control plane has the server's own backoff
constexpr int64_t kTrialMs = 500;             // between two calls that try a server whose circuit is open, over all loops
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

UpstreamKey make_key(const ServerSpec& server, const CallerShare& caller, bool exclusive) {
  UpstreamKey key;
  key.server_id = server.id;
  key.version = server.version;
  key.capabilities = caller.capabilities;
  switch (exclusive ? Share::session : server.share) {
    case Share::installation: break;
    case Share::project: key.share = "project:" + caller.project->id; break;
    case Share::principal: key.share = "token:" + caller.who->token_sha; break;
    case Share::session: key.share = caller.alone; break;
  }
  return key;
}

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
    auto raised = co_await raising;
    if (!raised) {
      raised = fail(entry->instance.redactor()->apply(std::move(raised).error()));
      judge(*entry, fail(raised.error()), scope.cancelled() && scope.reason().status != Status::timeout);
      co_return fail(std::move(raised).error());
    }
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
  if (entry->questions && events) heard.emplace(*entry->questions, *events, call.progress_token);
  auto task = peer->call(one, events, within);
  auto answer = co_await task;
  entry->last_used_ms = site_.loop.now_ms();
  site_.meter.count_asked(call.method, complaint_number(answer), call.server->name, began_ns);
  const bool given_up = within.cancelled() && within.reason().status != Status::timeout;  // by the caller, or by us
  if (!answer) answer = fail(entry->instance.redactor()->apply(std::move(answer).error()));
  judge(*entry, answer, given_up);
  if (!answer && entry->end.cancelled() && !scope.cancelled()) co_return fail(entry->end.reason());
  if (!answer) co_return fail(std::move(answer).error());
  if (answer->kind() == mcp::MessageKind::result && answer->result()->type != json::Type::object) {
    co_return fail(Status::protocol, call.server->name + ": the result is not an object");
  }
  UpstreamAnswer out(*std::move(answer), hop.era);
  if (out.message.kind() == mcp::MessageKind::error) out.hides = entry->instance.redactor();
  co_return out;
}

// What an answer says does not matter: who answers is there. A process that ends has a backoff of its own.
void Upstreams::judge(Entry& entry, const Result<mcp::Message>& answer, bool given_up) {
  if (!answer && given_up) return;
  if (entry.server->health.tool.empty()) entry.instance.note_answer(answer.has_value());  // else its own check says how it is
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
  if (!entry.retired) entry.instance.failed(error.message + (error.hint.empty() ? "" : ": " + error.hint));
}

}  // namespace mcptoken::gateway
