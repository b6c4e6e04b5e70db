#include "gateway/site.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/limits.h"
#include "gateway/listener.h"
#include "gateway/resume.h"
#include "mcp/rewrite.h"

namespace mcptoken::gateway {
namespace {

constexpr size_t kEndedSessions = 10'000;
constexpr size_t kStatefulSessions = 10'000;
constexpr size_t kIdleConnections = 1024;  // to one server with one credential, for a minute
constexpr int64_t kSweepMs = 60'000;
constexpr int64_t kModelIdleMs = 10 * 60'000;  // longer than one that failed is left alone
constexpr int64_t kStormMs = 100;              // between two notifications of one list's changes
constexpr int64_t kBeatMs = 1'000;  // how exactly heartbeats are kept: one timer for all streams, which are many

cache::PipelineCacheOptions cache_options(const Options& options) {
  cache::PipelineCacheOptions out;
  out.dir = options.cache_dir;
  out.log = options.log;
  return out;
}

// Many clients call one server at once, and who finds no connection opens one: that takes longer than the call.
http::ClientLimits client_limits() {
  http::ClientLimits limits;
  limits.idle_connections = kIdleConnections;
  return limits;
}

}  // namespace

Site::Site(Gateway& gateway_in, size_t index_in, loop::Loop& loop_in)
    : gateway(gateway_in),
      index(index_in),
      loop(loop_in),
      http(loop_in, gateway_in.options().addresses, gateway_in.options().log, client_limits()),
      upstreams(*this),
      catalogue(*this),
      watches(*this),
      parking(*this),
      retention(*this),
      sweeper(loop_in),
      heart(loop_in) {
  sweeper.start(kSweepMs, [this] { sweep(); }, kSweepMs);
  heart.start(kBeatMs, [this] { beat(); }, kBeatMs);
}

void Site::beat() {
  const int64_t now_ms = loop.now_ms();
  for (Listener* listener : listeners) listener->beat(now_ms);
  for (auto& [mark, follower] : followers) follower->beat(now_ms);
  retention.beat(now_ms);
}

uint64_t Site::next_mark() { return ++next_number * gateway.sites() + index; }
std::string Site::next_token() { return std::to_string(next_mark()); }

std::string running_key(std::string_view share, std::string_view id) {
  std::string out;
  out.reserve(share.size() + 1 + id.size());
  return out.append(share).append(1, ' ').append(id);
}

ClaimKey claim_key(std::string_view share) {
  constexpr size_t kDigits = 16;
  const size_t end = share.find('/');
  const std::string_view nonce = share.substr(kSessionShare.size(), end - kSessionShare.size());
  return {number_of(nonce), number_of(share.substr(end + 1, kDigits))};
}

void Site::end_session(const std::string& share) {
  if (ended.size() >= kEndedSessions) {
    auto oldest = ended.begin();
    for (auto it = ended.begin(); it != ended.end(); ++it) {
      if (it->second < oldest->second) oldest = it;
    }
    ended.erase(oldest);
  }
  ended.emplace(share, loop.now_ms());
  upstreams.end_session(share);
  for (auto& [key, scope] : std::unordered_map(running)) {
    if (key.starts_with(running_key(share, ""))) scope->cancel(Error(Status::cancelled, "the session has ended"));
  }
  for (Listener* listener : std::set(listeners)) {
    if (listener->is_of(share)) listener->leave(Error(Status::cancelled, "the session has ended"));
  }
  retention.end_session(share);
}

const SessionState* Site::state_of(const std::string& share) const {
  auto it = sessions.find(share);
  return it == sessions.end() ? nullptr : &it->second;
}

SessionState* Site::make_state(const std::string& share, uint8_t owner) {
  auto it = sessions.find(share);
  if (it == sessions.end()) {
    if (sessions.size() >= kStatefulSessions) return nullptr;
    it = sessions.emplace(share, SessionState()).first;
    meter.sessions.set(static_cast<int64_t>(sessions.size()));
    it->second.owner = owner;
  }
  it->second.used_ms = loop.now_ms();
  return &it->second;
}

void Site::drop_state(const std::string& share) {
  sessions.erase(share);
  meter.sessions.set(static_cast<int64_t>(sessions.size()));
  watches.forget_session(share);
}

void Site::sweep_models() {
  std::erase_if(models, [now = loop.now_ms()](const auto& one) { return now - one.second.used_ms > kModelIdleMs; });
}

// A session with a stream is in use. The loop that keeps the claim of the stream decides for all.
void Site::sweep() {
  sweep_models();
  std::erase_if(storms, [](const auto& one) { return !one.second.quiet.running(); });
  std::vector<std::string> idle;
  for (auto& [share, state] : sessions) {
    if (state.owner % gateway.sites() != index) continue;
    if (claims.contains(claim_key(share)))
      state.used_ms = loop.now_ms();
    else if (loop.now_ms() - state.used_ms > limits::kSessionIdleMs) idle.push_back(share);
  }
  for (auto& share : idle) gateway.tell_all([share](Site& site) { site.drop_state(share); });
}

Gateway::Gateway(Options options, ControlPlane& plane)
    : options_(std::move(options)), plane_(plane), shelf_(cache_options(options_), system_clock()), stages_(options_.stages) {}

Site& Gateway::attach(loop::Loop& loop) {
  if (sites_.empty()) {
    started_ms_ = loop.clock().wall_ms();
    run_id_ = crypto::random_id().value_or(std::to_string(started_ms_));
  }
  sites_.push_back(std::make_unique<Site>(*this, sites_.size(), loop));
  return *sites_.back();
}

void Gateway::tell_all(std::function<void(Site&)> what) {
  for (auto& site : sites_) site->loop.post([what, &to = *site] { what(to); });
}

void Gateway::announce(const std::string& server_id, Kind kind) {
  tell_all([server_id, kind](Site& site) {
    for (Listener* listener : site.listeners) listener->changed(server_id, kind);
  });
}

// The home's list goes first: other loops fetch from there.
void Gateway::list_changed(const std::string& server_id, Kind kind) {
  Site& home = home_of(server_id);
  home.loop.post([this, &home, server_id, kind] {
    home.catalogue.invalidate(server_id, kind);
    tell_all([server_id, kind](Site& site) { site.catalogue.invalidate(server_id, kind); });
    if (kind != Kind::templates) announce_once(home, server_id, kind);  // which have no notification of their own
  });
}

void Gateway::answers_again(const std::string& server_id, Kind kind) {
  Site& home = home_of(server_id);
  home.loop.post([this, &home, server_id, kind] {
    tell_all([server_id, kind](Site& site) { site.catalogue.forgive(server_id, kind); });
    announce_once(home, server_id, kind);
  });
}

void Gateway::announce_once(Site& home, const std::string& server_id, Kind kind) {
  Storm& storm = home.storms.try_emplace({server_id, kind}, home.loop).first->second;
  storm.again = storm.quiet.running();
  if (storm.again) return;
  announce(server_id, kind);
  const auto look_again = [this, &storm, server_id, kind] {
    if (std::exchange(storm.again, false))
      announce(server_id, kind);
    else
      storm.quiet.stop();
  };
  storm.quiet.start(kStormMs, look_again, kStormMs);
}

void Gateway::server_says(const std::string& server_id, const std::string& share, mcp::Message message) {
  for (auto& row : kKinds) {
    if (row.changed == message.method()) list_changed(server_id, row.kind);
  }
  auto shared = std::make_shared<const mcp::Message>(std::move(message));
  if (shared->method() == "notifications/message" || shared->method() == "notifications/elicitation/complete") {
    return tell_client(server_id, share, std::move(shared));
  }
  if (shared->method() != "notifications/resources/updated") return;
  tell_all([server_id, share, shared](Site& site) {
    for (Listener* listener : site.listeners) listener->updated(server_id, share, *shared);
  });
}

// What concerns one client is for the stream of its session, when it listens. Nothing says of a line on a shared connection whose it
// is, but who was sent to an address is known.
void Gateway::tell_client(const std::string& server_id, const std::string& share, std::shared_ptr<const mcp::Message> message) {
  const auto tell = [this, message](const std::string& session) {
    tell_all([message, session](Site& site) {
      for (Listener* listener : site.listeners) {
        if (listener->is_of(session)) listener->hear(*message);
      }
    });
  };
  if (is_session(share)) return tell(share);
  const auto id = message->string_param("elicitationId");
  if (!id) return;
  tell_all([server_id, share, id, tell](Site& site) {
    if (const auto session = site.visits.take(server_id, share, *id)) tell(*session);
  });
}

void Gateway::suspect(const std::string& server_id, const std::string& share) {
  for (auto& row : kKinds) list_changed(server_id, row.kind);
  tell_all([server_id, share](Site& site) {
    for (Listener* listener : site.listeners) listener->suspect(server_id, share);
  });
}

// Environment of a server process: a fixed minimum and what the definition declares. Nothing of ours is inherited.
Result<loop::ChildSpec> Gateway::child_spec(const ServerSpec& server, const std::vector<Credential>& environment) const {
  namespace fs = std::filesystem;
  std::error_code failed;
  fs::path home = fs::path(options_.data_dir) / "servers" / server.name;
  fs::create_directories(home, failed);
  if (failed) return fail(Status::io, "the server's home directory cannot be made: " + failed.message());
  loop::ChildSpec spec;
  spec.argv = server.command;
  spec.env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=" + home.string()};
  for (auto& variable : environment) {
    std::string entry = variable.name + "=";
    entry.append(variable.value.reveal());
    std::erase_if(spec.env, [&](const std::string& other) { return other.starts_with(variable.name + "="); });
    spec.env.push_back(std::move(entry));
  }
  spec.working_dir = home.string();
  spec.require_sandbox = options_.require_sandbox;
  // Everything of ours, and the homes of other servers. What cannot be listed cannot be hidden: then nothing is started.
  auto hide_all_but = [&](const fs::path& folder, const std::string& kept) {
    fs::directory_iterator entries(folder, failed);
    for (; !failed && entries != fs::directory_iterator(); entries.increment(failed)) {
      if (entries->path().filename() != kept) spec.hidden_paths.push_back(entries->path().string());
    }
  };
  if (fs::exists(options_.cache_dir, failed) && !options_.cache_dir.starts_with(options_.data_dir))
    spec.hidden_paths.push_back(options_.cache_dir);
  hide_all_but(options_.data_dir, "servers");
  if (!failed) hide_all_but(home.parent_path(), server.name);
  if (failed) return fail(Status::io, "the data directory cannot be hidden from the server: " + failed.message());
  return spec;
}

int64_t Gateway::jitter(int64_t below) const {
  std::array<uint8_t, 4> bytes{};
  if (below <= 0 || !crypto::random_bytes(bytes)) return 0;
  return (bytes[0] | bytes[1] << 8 | bytes[2] << 16) % below;
}

}  // namespace mcptoken::gateway
