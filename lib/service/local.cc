#include "service/local.h"

#include <algorithm>
#include <iterator>

#include "audit/chain.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "service/call_event.h"
#include "service/exchange.h"
#include "service/query_tokens.h"
#include "service/read_store.h"

namespace mcptoken::service {
namespace {

constexpr size_t kHashQueue = 16;
constexpr int64_t kTickMs = 60'000;  // how often housekeeping may look whether it is due
constexpr int64_t kUseReportMs = 60'000;
constexpr int64_t kUseFlushMs = 5'000;
constexpr int64_t kLookAgainMs = 2'000;
constexpr size_t kMaxReported = 100'000;
constexpr int kMaxTrafficWaiting = 256;  // messages on their way to those who watch traffic

// On the node's loop. What nobody here may hear is not even written down. Hearing may end a watcher, and with it its
// place in the list.
void tell(const Node& node, const Spoken& spoken, const gateway::Redactor* secrets) {
  std::vector<std::pair<std::shared_ptr<Exchange>, Hearing>> watchers;
  for (const auto& exchange : node.exchanges) {
    if (!exchange->hears()) continue;
    const Hearing hearing = exchange->hearing_of(spoken.project->name);
    if (hearing != Hearing::nothing) watchers.emplace_back(exchange, hearing);
  }
  std::string facts, contents;
  for (const auto& [exchange, hearing] : watchers) {
    std::string& event = hearing == Hearing::contents ? contents : facts;
    if (event.empty()) event = told(spoken, secrets, hearing);
    exchange->hear(event);
  }
}

}  // namespace

Local::Local(LocalOptions options, control::Keys keys, std::unique_ptr<store::Store> store)
    : options_(std::move(options)),
      store_(std::move(store)),
      control_(options_.settings, std::move(keys), system_clock(), options_.log),
      recorder_(system_clock(), [this] { store_->wake_background(); }),
      housekeeping_(control_),
      worker_(kHashQueue),
      store_turned_ms_(system_clock().mono_ms()) {}

// The store goes first: what it still has to do uses everything else here.
Local::~Local() { store_->close(); }

Result<std::unique_ptr<Local>> Local::open(LocalOptions options) {
  MCPT_CHECK(crypto::init());
  store::Options store_options(options.data_dir);
  store_options.log = options.log;
  store_options.schemas = {audit::schema()};
  MCPT_TRY(auto store, store::Store::open(std::move(store_options)));
  control::KeyOptions key_options;
  key_options.data_dir = options.data_dir;
  key_options.key_file = options.key_file;
  // A database was made with a key: without it its secrets are lost and its audit chain breaks, which must be noticed
  // now.
  MCPT_CHECK(store->read_and_wait(system_principal(), [&](store::Tx& tx) -> Result<void> {
    MCPT_TRY(const auto users, tx.list("user"));
    MCPT_TRY(const auto mark, tx.setting(control::kKeyMark));
    key_options.database_exists = mark || !users.empty();
    return {};
  }));
  MCPT_TRY(auto keys, control::Keys::open(key_options));
  options.settings.data_dir = options.data_dir;
  std::unique_ptr<Local> local(new Local(std::move(options), std::move(keys), std::move(store)));
  MCPT_CHECK(local->load());
  return local;
}

Result<void> Local::load() {
  // Writes a bootstrap code at most. With the reserve, for a restart on a full disk must not end the service.
  store::Work load = [this](store::Tx& tx) -> Result<void> {
    MCPT_CHECK(control::check_key(tx, control_.keys()));
    MCPT_TRY(const int64_t foreign, audit::disown(tx.db()));
    if (foreign > 0)
      options_.log.error("audit: " + std::to_string(foreign) + " events at the end were not written by this server");
    MCPT_TRY(auto code, control_.prepare_bootstrap(tx));
    needs_bootstrap_ = code.has_value();
    MCPT_TRY(latest_, load_snapshot(tx, control_));
    revision_ = latest_->revision;
    return audit::seal(tx.db(), control_.keys().audit());
  };
  auto loaded = store_->run_and_wait(system_principal(), std::move(load), store::Reserve::open);
  if (!loaded) return fail(std::move(loaded).error());
  store::Background background;
  background.work = [this](store::Tx& tx) -> Result<bool> {
    MCPT_TRY(const bool more, recorder_.write(tx.db()));
    MCPT_TRY(const bool unkempt, housekeeping_.step(tx));
    MCPT_CHECK(audit::seal(tx.db(), control_.keys().audit(), recorder_.written()));
    MCPT_TRY(next_, advance_snapshot(latest_, tx, control_));
    return more || unkempt;
  };
  background.done = [this](bool committed) {
    recorder_.finished(committed);
    housekeeping_.finished(committed);
    if (committed && next_ != latest_) {
      revision_.store(next_->revision, std::memory_order_release);
      publish(next_, [] {});
    }
    next_ = nullptr;
    store_turned_ms_.store(system_clock().mono_ms(), std::memory_order_relaxed);
    // What else a turn does may fail without a reason to refuse calls.
    audit_stuck_.store(!committed && recorder_.pending(), std::memory_order_relaxed);
  };
  store_->set_background(std::move(background));
  return {};
}

void Local::attach(Node& node) {
  {
    std::lock_guard guard(attaching_);
    nodes_.push_back(&node);
    node.snapshot = latest_;
  }
  if (ticker_) return;
  ticker_ = std::make_unique<loop::Timer>(node.loop);
  ticker_->start(
      kTickMs, [this] { store_->wake_background(); }, kTickMs);
}

Local::Numbers Local::numbers() {
  SnapshotPtr now;
  {
    std::lock_guard guard(attaching_);
    now = latest_;
  }
  Numbers out;
  now->tokens.for_each([&](const TokenEntry& token) { out.tokens += token.revoked() ? 0 : 1; });
  out.projects = static_cast<int64_t>(now->projects->size());
  out.servers = static_cast<int64_t>(now->servers->size());
  out.users = static_cast<int64_t>(now->users->size());
  out.revision = now->revision;
  out.audit_lost = recorder_.lost();
  out.audit_stuck = audit_stuck();
  return out;
}

void Local::publish(SnapshotPtr next, Function<void()> published) {
  std::lock_guard guard(attaching_);
  latest_ = next;
  needs_bootstrap_ = next->users->empty();
  if (nodes_.empty()) return published();
  struct Acks {
    std::atomic<size_t> left;
    Function<void()> published;
  };
  auto acks = std::make_shared<Acks>();
  acks->left = nodes_.size();
  acks->published = std::move(published);
  for (Node* node : nodes_) {
    node->loop.post([this, node, next, acks] {
      const int64_t before = std::exchange(node->snapshot, next)->revision;
      if (on_snapshot_) expect_end(*node, on_snapshot_(*next, before, *node));
      if (acks->left.fetch_sub(1) == 1) acks->published();
    });
  }
}

Result<std::optional<Identity>> Local::authenticate(Node& node, const Head& head) {
  const int64_t now = node.loop.clock().wall_ms();
  auto identity = service::authenticate(*node.snapshot, control_.keys(), head, now);
  if (!identity)
    suspect_leak(node, head, now);
  else if (*identity)
    expect_end(node, (*identity)->until_ms);
  return identity;
}

// Nothing changes when the time of a credential is over, and what runs under it must end all the same.
void Local::expect_end(Node& node, int64_t until_ms) {
  if (until_ms >= node.next_end_ms) return;
  node.next_end_ms = until_ms;
  await_end(node);
}

// The wall clock may be set meanwhile, or have gone on while the machine slept.
void Local::await_end(Node& node) {
  const int64_t wait = std::clamp<int64_t>(node.next_end_ms - node.loop.clock().wall_ms(), 0, kLookAgainMs);
  node.ender.start(wait, [this, &node] {
    if (node.loop.clock().wall_ms() < node.next_end_ms) return await_end(node);
    node.next_end_ms = INT64_MAX;
    const auto snapshot = node.snapshot;
    if (on_snapshot_) expect_end(node, on_snapshot_(*snapshot, snapshot->revision, node));
  });
}

namespace {

// At most once in a while for each credential.
void raise_alarm(Node& node, const Log& log, const Head& head, const crypto::Digest& sha, audit::Event event,
                 const std::string& why) {
  if (node.alarms.size() > kMaxReported) node.alarms.clear();
  auto [last, first] = node.alarms.try_emplace(sha, node.loop.now_ms());
  if (!first && node.loop.now_ms() - last->second < limits::kLeakAlarmMs) return;
  last->second = node.loop.now_ms();
  event.client_address = head.peer_address;
  if (const auto agent = head.headers.find("user-agent")) event.client_name = agent->substr(0, 128);
  event.rule = why;
  log.warn(event.subject + ": " + why + ", from " + head.peer_address);
  node.ring->push(std::move(event));
}

constexpr auto kLeak = audit::Kind::token_leak_suspected;

audit::Event leak_of(const Snapshot& snapshot, const TokenEntry& token, int64_t now_ms) {
  const auto who = principal_of(snapshot, token);
  auto event = audit::event_by(*who, kLeak, audit::Outcome::denied, now_ms);
  event.subject = who->project + "/" + who->token_name;
  return event;
}

// Addresses are kept by proxies, browsers and logs.
void tell_of_query(Node& node, const Log& log, const Head& head, int64_t now_ms) {
  for (const auto& sha : tokens_in_query(head)) {
    if (const auto token = node.snapshot->tokens.find(sha)) {
      auto event = leak_of(*node.snapshot, *token, now_ms);
      raise_alarm(node, log, head, sha, std::move(event), "the token was sent in a query");
    } else if (const auto session = node.snapshot->sessions->find(sha); session != node.snapshot->sessions->end()) {
      const auto user = node.snapshot->users->find(session->second.user_id);
      audit::Event event = audit::event_by({}, kLeak, audit::Outcome::denied, now_ms);
      if (user != node.snapshot->users->end()) event.user = user->second.email;
      event.subject = "user/" + event.user;
      raise_alarm(node, log, head, sha, std::move(event), "the login session was sent in a query");
    }
  }
}

}  // namespace

// Only its holder can send a token. The rightful one has had the time of grace to change over.
void Local::suspect_leak(Node& node, const Head& head, int64_t now_ms) {
  tell_of_query(node, options_.log, head, now_ms);
  auto bearer = read_bearer(head);
  if (!bearer || !*bearer) return;
  const auto token = node.snapshot->tokens.find((*bearer)->sha);
  if (!token || !token->superseded() || now_ms < token->expires_ms()) return;
  raise_alarm(node, options_.log, head, token->sha(), leak_of(*node.snapshot, *token, now_ms),
              "the token was replaced and is still used");
}

loop::Task<Result<Access>> Local::admit(Node& node, const Head& head, loop::Scope&) { co_return admit_now(node, head); }

Result<Access> Local::admit_now(Node& node, const Head& head) {
  MCPT_TRY(auto identity, authenticate(node, head));
  if (!identity) return fail(no_credentials());
  if (!identity->is_token())
    return fail(no_project_token(identity->who->kind == rbac::PrincipalKind::watcher ? kTicket : kSession));
  Access access;
  access.identity = *std::move(identity);
  access.project = node.snapshot->projects->find(access.identity.who->project_id)->second;
  touch(node, access.identity, head.peer_address);
  return access;
}

// A project that has gone has taken its tokens with it, and ended their requests.
std::shared_ptr<const gateway::ProjectView> Local::project_now(Node& node, const Access& access) {
  const auto& projects = *node.snapshot->projects;
  const auto found = projects.find(access.identity.who->project_id);
  return found == projects.end() ? access.project : found->second;
}

loop::Task<Result<control::Response>> Local::transact(Node& node, std::shared_ptr<const Job> job, Mode mode,
                                                      Function<Result<control::Response>(control::Context&)> work,
                                                      loop::Scope& scope) {
  struct State {
    loop::Completion<control::Response> done;  // the loop's side
    control::Response response;                // the store's side, until it is posted
    std::optional<control::Response> kept;     // of a dry run
    SnapshotPtr next;
  };
  auto state = std::make_shared<State>();
  auto finish = [state, &loop = node.loop](Result<control::Response> result) {
    loop.post([state, result = std::move(result)]() mutable { state->done.resolve(std::move(result)); });
  };
  store::Work body = [this, state, job, mode, work = std::move(work)](store::Tx& tx) mutable -> Result<void> {
    control::Context context(tx, *latest_->policy, *job->who, *job->request, job->params);
    auto answer = work(context);
    if (job->request->dry_run) answer = control::take_back(std::move(answer), state->kept);
    MCPT_TRY(state->response, std::move(answer));
    if (mode != Mode::read) MCPT_CHECK(audit::seal(tx.db(), control_.keys().audit()));
    MCPT_TRY(state->next, advance_snapshot(latest_, tx, control_));
    return {};
  };
  store::Done done = [this, state, finish](Result<void> committed, const store::Changes& changes) {
    if (!committed && state->kept) return finish(*std::move(state->kept));
    if (!committed) return finish(fail(std::move(committed).error()));
    if (changes.revision != 0) revision_.store(changes.revision, std::memory_order_release);
    if (state->next == latest_) return finish(std::move(state->response));
    publish(state->next, [state, finish] { finish(std::move(state->response)); });
  };
  if (mode == Mode::read)
    store_->read(*job->who, std::move(body), std::move(done));
  else
    store_->run(*job->who, std::move(body), std::move(done),
                mode == Mode::reserve || job->route->takes_away() ? store::Reserve::open : store::Reserve::closed);
  auto result = co_await state->done.wait(scope);
  co_return result;
}

loop::Task<Result<std::string>> Local::off_loop(Node& node, Function<Result<std::string>()> work, loop::Scope& scope) {
  auto done = std::make_shared<loop::Completion<std::string>>();
  bool accepted = worker_.submit([done, &loop = node.loop, work = std::move(work)]() mutable {
    auto result = work();
    loop.post([done, result = std::move(result)]() mutable { done->resolve(std::move(result)); });
  });
  if (!accepted)
    co_return fail(
        Error(Status::limit, "too many passwords are being checked").with_code("rate_limited").with_http(429));
  auto result = co_await done->wait(scope);
  co_return result;
}

// On the store's thread: the environment or the headers of a server.
Result<std::vector<gateway::Credential>> Local::values_of(store::Tx& tx, const gateway::ServerSpec& server) const {
  std::vector<gateway::Credential> found;
  MCPT_TRY(auto object, tx.get(server.id));
  MCPT_TRY(auto doc, json::parse(object.doc));
  const json::Value* list = doc.find(server.transport == gateway::Transport::stdio ? "env" : "headers");
  if (!list) return found;
  MCPT_TRY(auto values, control_.resolve_values(tx, *list));
  for (size_t i = 0; i < values.size(); ++i) {
    const bool is_secret = list->items()[i].find("valueFrom") != nullptr;
    found.push_back({std::move(values[i].first), std::move(values[i].second), is_secret});
  }
  return found;
}

loop::Task<Result<std::vector<gateway::Credential>>> Local::credentials(
    loop::Loop& loop, std::shared_ptr<const gateway::ServerSpec> server, gateway::BearerPtr, loop::Scope& scope) {
  using Found = std::vector<gateway::Credential>;
  Function<Result<Found>(store::Tx&)> work = [this, server](store::Tx& tx) -> Result<Found> {
    return values_of(tx, *server);
  };
  auto task = read_store<Found>(*store_, loop, system_principal(), std::move(work), scope);
  auto result = co_await task;
  if (!result) {  // the reason names a secret, which callers of tools may not learn
    options_.log.warn(server->name + ": " + result.error().message);
    co_return fail(result.error().status, server->name + ": the server's credentials cannot be read");
  }
  secrets_.learn(server->id, *result);
  co_return result;
}

// In strict mode a place in the ring is kept, which no other event takes. A ring that only fills up is not enough: the
// call must not be made when its record would wait for a disk that takes nothing.
bool Local::reserve_record(size_t site) {
  return !options_.strict_audit || (!audit_stuck_.load(std::memory_order_relaxed) && nodes_[site]->ring->reserve());
}

void Local::release_record(size_t site) {
  if (options_.strict_audit) nodes_[site]->ring->release();
}

void Local::record(size_t site, gateway::CallRecord&& record, Place place) {
  Node& node = *nodes_[site];
  auto event = event_of(std::move(record));  // which leaves him
  if (event.kind == audit::Kind::tool_call_trace && !event.server.empty())
    event.rule = node.rules.of(node.snapshot->policy, record.who, event.server, event.subject);
  if (options_.strict_audit && place == Place::reserved)
    node.ring->push_reserved(std::move(event));
  else
    node.ring->push(std::move(event));
}

// What there is no room for is not told: traffic is to look at, the record is the audit log. The store is asked only
// for secrets of servers that were not opened since the start.
void Local::tell_traffic(Spoken spoken) {
  if (traffic_waiting_->fetch_add(1) >= kMaxTrafficWaiting) {
    --*traffic_waiting_;
    return;
  }
  // Counted until the last loop has told it, or has gone.
  std::shared_ptr<const Spoken> said(new Spoken(std::move(spoken)), [waiting = traffic_waiting_](const Spoken* one) {
    delete one;
    --*waiting;
  });
  auto known = secrets_.of(*said->project, system_clock().mono_ms());
  if (known.unknown.empty()) return spread_traffic(std::move(said), std::move(known.redactor));
  store::Work work = [this, unknown = std::move(known.unknown)](store::Tx& tx) -> Result<void> {
    for (const auto& server : unknown) {
      if (auto values = values_of(tx, *server))
        secrets_.learn(server->id, *values);
      else
        secrets_.unreadable(server->id, system_clock().mono_ms());
    }
    return {};
  };
  store::Done done = [this, said](Result<void>, const store::Changes&) {
    spread_traffic(said, secrets_.of(*said->project, system_clock().mono_ms()).redactor);
  };
  store_->read(system_principal(), std::move(work), std::move(done));
}

void Local::spread_traffic(std::shared_ptr<const Spoken> spoken, std::shared_ptr<const gateway::Redactor> secrets) {
  std::lock_guard guard(attaching_);
  for (Node* node : nodes_)
    (void)node->loop.try_post([node, spoken, secrets] { tell(*node, *spoken, secrets.get()); });
}

void Local::touch(Node& node, const Identity& identity, const std::string& address) {
  if (identity.who->kind == rbac::PrincipalKind::watcher) return;
  const crypto::Digest& sha = identity.sha;
  int64_t now = node.loop.now_ms();
  auto [it, first] = node.reported.try_emplace(sha, now);
  if (!first && now - it->second < kUseReportMs) return;
  it->second = now;
  if (node.reported.size() > kMaxReported) node.reported.clear();
  if (!identity.is_token()) return touch_session(sha, node.loop.clock().wall_ms());
  store::TokenUse use;
  use.sha = sha;
  use.used_ms = node.loop.clock().wall_ms();
  use.from = address;
  node.uses.push_back(std::move(use));
  if (node.flusher.running()) return;
  node.flusher.start(kUseFlushMs, [this, &node] {
    auto uses = std::make_shared<std::vector<store::TokenUse>>(std::exchange(node.uses, {}));
    store_->run(
        system_principal(), [uses](store::Tx& tx) { return tx.touch_tokens(*uses); },
        [](Result<void>, const store::Changes&) {});
  });
}

// The idle limit is judged on the snapshot, so a use is published like any other change that loops must know.
void Local::touch_session(const crypto::Digest& sha, int64_t used_ms) {
  store::Work work = [sha, used_ms](store::Tx& tx) { return tx.touch_session(sha, used_ms); };
  store::Done done = [this, sha, used_ms](Result<void> committed, const store::Changes&) {
    if (!committed) return options_.log.warn("last use of a session: " + committed.error().message);
    SnapshotPtr next = with_session_used(latest_, sha, used_ms);
    if (next != latest_) publish(std::move(next), [] {});
  };
  store_->run(system_principal(), std::move(work), std::move(done));
}

}  // namespace mcptoken::service
