// Connections to MCP servers, and calls on them.
//
// Invariants:
//  1. A stdio server's processes live on one loop, its home (a hash of the server's id); other loops send their calls there.
//     HTTP servers are called from each loop on connections of its own.
//  2. A connection is shared only among callers with equal keys: same server version, same share (project, principal, …),
//     same client capabilities. One to the control plane belongs to one token. A stdio process with client
//     capabilities belongs to one session or one call, because its requests carry no link to the call that caused them.
//     Those who share a stdio server may have several processes of it between them (its replicas): a call goes to the one that
//     has the least to do, and starts another while all are busy. What is bound to one process, lists and subscriptions, is
//     with the first.
//  3. A server that cannot be opened, or does not answer again and again, is asked again after a backoff; until then its last
//     error is the answer, at once.
#pragma once

#include <compare>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "gateway/control_plane.h"
#include "gateway/instance.h"
#include "gateway/share.h"
#include "http/client.h"
#include "loop/flight.h"
#include "mcp/http_peer.h"
#include "mcp/peer.h"
#include "mcp/rewrite.h"
#include "mcp/stdio_peer.h"
#include "mcp/trace.h"

namespace mcptoken::gateway {

struct Site;
class Questions;

struct UpstreamKey {
  std::string server_id;
  int64_t version = 0;
  std::string share;
  uint32_t capabilities = 0;
  int replica = 0;
  auto operator<=>(const UpstreamKey&) const = default;
};

// What the client side of a call is: decides which connection it may use.
struct CallerShare {
  std::shared_ptr<const ProjectView> project;
  std::shared_ptr<const rbac::Principal> who;
  std::string alone;              // the share of what it has to itself: of its session, or of the call
  uint32_t capabilities = 0;      // that can be relayed to this client
  BearerPtr bearer;               // for relayed servers; no part of the key, which has the token's SHA
};
UpstreamKey key_for(const ServerSpec& server, const CallerShare& caller);
// Of the connection that lists come by: they may depend on what a client has declared, and no client is asked anything for
// them, so that nobody who only lists has a process of its own.
UpstreamKey list_key_for(const ServerSpec& server, const CallerShare& caller);

struct UpstreamCall {
  UpstreamCall() = default;
  std::shared_ptr<const ServerSpec> server;
  UpstreamKey key;
  BearerPtr bearer;               // for relayed servers
  std::string client_info;        // raw JSON; "" for ours
  std::shared_ptr<const mcp::Message> request;  // params are taken from here
  std::string method;
  std::vector<mcp::ParamEdit> edits;  // members of params that are replaced ("name": the upstream's name)
  std::string name;               // for the Mcp-Name header, when the method has one
  std::string_view capability;    // that the server must have declared: Status::not_supported otherwise; "" for none
  uint32_t capabilities = 0;      // of the client; declared to a modern server
  std::string progress_token;     // ours, raw JSON; "" for none
  std::string log_level;
  mcp::Trace trace;               // that came beside the request
  std::vector<http::Header> headers;  // Mcp-Param-*, for a modern HTTP server
  bool any_replica = false;       // may go to any of those who share the key; otherwise to the first
};

// What came back, and from which era.
struct UpstreamAnswer {
  UpstreamAnswer(mcp::Message message_in, mcp::Era era_in) : message(std::move(message_in)), era(era_in) {}
  // Of an error message: what it says, but for the server's secrets.
  Error to_error() const { return hides ? hides->apply(message.to_error()) : message.to_error(); }
  mcp::Message message;
  mcp::Era era;
  std::shared_ptr<const Redactor> hides;  // of error messages
};

// Counts a call while its frame lives, also when it is destroyed half-way, and ends it with the upstream.
class Busy final : loop::Scope::Hook {
 public:
  Busy(size_t& count, loop::Scope& upstream, loop::Scope& call) : count_(count), call_(call) {
    ++count_;
    attach(upstream);
  }
  ~Busy() override { --count_; }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  void on_cancel(const Error& reason) override { call_.cancel(reason); }
  size_t& count_;
  loop::Scope& call_;
};

class Upstreams {
 public:
  explicit Upstreams(Site& site);
  ~Upstreams();

  // From this site's loop, wherever the server lives. `events` is called on this loop until the task ends, and the call
  // outlives it.
  loop::Task<Result<UpstreamAnswer>> call(const UpstreamCall& call, mcp::Events* events, loop::Scope& scope);
  // On the home loop of the call's server.
  loop::Task<Result<UpstreamAnswer>> call_here(const UpstreamCall& call, mcp::Events* events, loop::Scope& scope);

  // The connection that a caller's requests go by. Capabilities matter to servers of the legacy era alone, which are told of
  // them at the beginning: a modern server hears with each request what can be asked for. On any loop.
  loop::Task<Result<UpstreamKey>> choose(std::shared_ptr<const ServerSpec> server, CallerShare caller, loop::Scope& scope);
  // What the server has said about itself; opens the connection. On the home loop, as the next.
  loop::Task<Result<mcp::PeerInfo>> info(std::shared_ptr<const ServerSpec> server, UpstreamKey key, BearerPtr bearer,
                                         loop::Scope& scope);
  // What the server sends that belongs to no call goes to Gateway::server_says, until its stream ends; the answer says why
  // it did. `on_open`: from here on nothing is missed. `uris`: to be told of, for modern servers.
  loop::Task<Result<void>> listen(std::shared_ptr<const ServerSpec> server, UpstreamKey key, BearerPtr bearer,
                                  std::set<std::string> uris, Function<void()> on_open, loop::Scope& scope);

  // A legacy session has ended: what it had alone goes. `share`: that of the session.
  void end_session(const std::string& share);
  // What is of another version than here is stale, and goes as soon as it has nothing to do.
  void mark_stale(const Servers& present);

  // --- for people
  std::vector<InstanceView> instances() const;
  const Instance* find_instance(std::string_view id) const;  // nullptr: not on this loop
  bool end_instance(std::string_view id);                    // false: not on this loop
  void happened(const UpstreamKey& key, std::string text);   // an event of the instance, when it is on this loop

  // Stops everything; resolves when no process is left.
  loop::Task<Result<void>> stop(loop::Scope& scope);

 private:
  loop::Task<Result<UpstreamAnswer>> call_there(Site& home, const UpstreamCall& call, mcp::Events* events, loop::Scope& scope);
  struct Entry : std::enable_shared_from_this<Entry> {
    Entry(std::shared_ptr<const ServerSpec> server_in, const UpstreamKey& key_in, Instance instance_in, Breaker breaker_in)
        : server(std::move(server_in)), key(key_in), instance(std::move(instance_in)), breaker(std::move(breaker_in)) {}
    std::shared_ptr<const ServerSpec> server;
    UpstreamKey key;
    Instance instance;
    Breaker breaker;  // of its calls; that it cannot be opened is below
    std::shared_ptr<Questions> questions;     // of one client's HTTP server; outlives the peer
    std::shared_ptr<mcp::Peer> peer;
    std::shared_ptr<mcp::StdioPeer> process;  // the same object, when it is a process
    std::shared_ptr<mcp::HttpPeer> http;      // the same object, when it may have a session there
    std::shared_ptr<loop::Scope> stream;      // that questions come on, while it is kept open for them
    size_t listeners = 0;                     // who have it open themselves
    loop::Flight opening;
    int failures = 0;        // in a row: what runs for long enough ends the row
    int64_t opened_ms = 0;   // 0: it is not open
    int64_t retry_at_ms = 0;
    std::optional<Error> last_error;
    int64_t last_used_ms = 0;
    size_t calls = 0;
    int64_t probe_at_ms = 0;  // 0: not yet settled
    int probe_failures = 0;   // in a row
    bool probing = false;
    std::string log_level;  // that a legacy server was told, "" for none
    std::string log_session;  // in which session
    loop::Scope end;  // of its calls, when it is stopped under them
    bool stale = false;
    bool retired = false;    // off the list; its process may still be on its way out
    bool forgotten = false;  // nobody wants to hear of it any more
    bool ready() const { return peer && peer->alive() && !opening.running(); }
    bool exists() const { return peer && peer->alive(); }  // perhaps not open yet
  };

  // A trial that ends in any other way than with an answer or a failure says nothing, also when its frame is destroyed.
  struct Trial {
    Trial(Entry& entry_in, bool is_one) : entry(is_one ? &entry_in : nullptr), kept(entry_in.shared_from_this()) {}
    ~Trial() {
      if (entry && entry->breaker.state() == Circuit::half_open) entry->breaker.given_up();
    }
    Trial(const Trial&) = delete;
    Trial& operator=(const Trial&) = delete;
    Entry* entry;
    std::shared_ptr<Entry> kept;
  };
  std::shared_ptr<Entry> find_ready(const UpstreamKey& key);  // null: it has to be opened
  // A session has one stream: whoever listens has it instead of the one that is kept for questions.
  struct Only {
    Only(Upstreams& all_in, std::shared_ptr<Entry> entry_in) : all(all_in), entry(std::move(entry_in)) {
      ++entry->listeners;
      if (entry->stream) entry->stream->cancel(Error(Status::cancelled, "another stream takes its place"));
    }
    ~Only() {
      if (--entry->listeners == 0) all.want_stream(entry);
    }
    Only(const Only&) = delete;
    Only& operator=(const Only&) = delete;
    Upstreams& all;
    std::shared_ptr<Entry> entry;
  };
  loop::Task<Result<std::shared_ptr<Entry>>> get(std::shared_ptr<const ServerSpec> server, UpstreamKey key, BearerPtr bearer,
                                                loop::Scope& scope);
  loop::Task<Result<void>> open(std::shared_ptr<Entry> entry, BearerPtr bearer);
  loop::Task<Result<void>> connect(std::shared_ptr<Entry> entry, BearerPtr bearer);
  Result<void> make_process(const std::shared_ptr<Entry>& entry, std::vector<Credential> environment);
  Result<void> make_http(Entry& entry, std::vector<Credential> headers);
  loop::Task<Result<void>> keep_stream(std::shared_ptr<Entry> entry);
  void want_stream(const std::shared_ptr<Entry>& entry);
  Result<void> make_room(const Entry& wanted);
  size_t processes_of(const std::string& server_id, bool alone) const;
  UpstreamKey least_busy(const ServerSpec& server, UpstreamKey key) const;
  loop::Task<Result<void>> raise_log_level(std::shared_ptr<Entry> entry, std::string level, loop::Scope& scope);
  void failed(Entry& entry, const Error& error);
  static InstanceStatus status_of(const Entry& entry);
  void count_states();
  void judge(Entry& entry, const Result<mcp::Message>& answer, bool given_up);
  InstanceView view_of(const Entry& entry) const;
  std::shared_ptr<Entry> entry_of(std::string_view id) const;
  void retire(std::shared_ptr<Entry> entry, std::string_view why);
  loop::Task<Result<void>> end(std::shared_ptr<Entry> entry, std::shared_ptr<mcp::StdioPeer> process);
  loop::Task<Result<void>> end_session_there(std::shared_ptr<mcp::HttpPeer> peer);
  void sweep();
  void probe_due();
  loop::Task<Result<void>> probe(std::shared_ptr<Entry> entry);

  Site& site_;
  std::map<UpstreamKey, std::shared_ptr<Entry>> entries_;
  std::deque<std::shared_ptr<Entry>> ended_;  // had a process, which has left or is leaving; oldest first
  bool stopping_ = false;
  loop::Timer sweeper_;
  loop::Timer prober_;
  loop::Group endings_;   // processes on their way out
  loop::Group group_;     // last: its tasks use everything above
};

}  // namespace mcptoken::gateway
