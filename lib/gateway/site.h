// The gateway's part on one loop, and the gateway that holds the parts together.
//
// What is bound to a loop names it in its id (asks, sessions) or is found by hashing (homes of servers); everything else
// that concerns other loops is told to all of them. So there is no shared table and no lock.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/log.h"
#include "gateway/catalogue.h"
#include "gateway/control_plane.h"
#include "gateway/meter.h"
#include "gateway/parking.h"
#include "gateway/plugins/registered.h"
#include "gateway/plugins/shelf.h"
#include "gateway/retention.h"
#include "gateway/session_id.h"
#include "gateway/upstreams.h"
#include "gateway/visits.h"
#include "gateway/watches.h"
#include "http/client.h"
#include "loop/child_exec.h"
#include "loop/loop.h"

namespace mcptoken::gateway {

// A resource that a prompt follows, as it was read last; "": it could not be read.
struct LinkedText {
  std::string text;
  int64_t fresh_until_ms = 0;
};

// How a model does: after a failure it is left alone for a while.
struct ModelHealth {
  int64_t retry_at_ms = 0;
  std::string failure;
  int64_t probed_ms = 0;  // when it was last seen whether it can be reached; 0: never
  std::string state;      // then: "reachable", "refused" or "unreachable"; "": not known yet
  std::string detail;     // why, for people
  int64_t used_ms = 0;    // when it was last asked or looked at
};

struct Options {
  Options() = default;
  int64_t backoff_ms = 30'000;   // the longest pause before a server that failed is asked again
  int64_t ungate_ms = 3600'000;  // how long a gate stays open
  std::string client_info;   // raw JSON: what we call ourselves towards servers
  std::string version;       // of the product, in serverInfo
  std::string data_dir;      // hidden from child processes, but for servers/<name>, their home
  StageTypes stages;         // of the embedding program
  std::vector<std::shared_ptr<const LlmSpec>> models;  // of the program's settings, for all projects
  std::string cache_dir;     // of the pipeline cache, "": memory alone; hidden from child processes, too
  bool require_sandbox = false;
  std::shared_ptr<const http::AddressPolicy> addresses;
  std::string ca_file;      // authorities that are trusted instead of the system's
  Log log;
};

class Gateway;

// A request of a server that waits for the client's answer, which arrives as a POST of its own, maybe on another loop.
struct Ask {
  std::string share;         // of the session that was asked
  std::string upstream_id;   // raw JSON id of the server's request
  uint64_t asker = 0;        // what it came by, when that is a stream which belongs to no call
  Function<void(std::string)> reply;
};

// What a legacy session has asked for beyond its id. Every loop knows it; a restart forgets it.
struct SessionState {
  std::string log_level;
  std::set<std::string> uris;  // subscribed resources, as the client calls them
  uint8_t owner = 0;           // loop that ends it
  int64_t used_ms = 0;
};

// A call of a legacy session, whose share has no space.
std::string running_key(std::string_view share, std::string_view id);
// A session, in little memory: there are thousands that listen. Of the token it has 64 bits of its SHA.
using ClaimKey = std::pair<uint64_t, uint64_t>;
ClaimKey claim_key(std::string_view share);

class Listener;
class Follower;

// A list of a server that has changed a moment ago: whoever listens knows, and hears of the next change a little later,
// for a server may change it a thousand times a second.
struct Storm {
  explicit Storm(loop::Loop& loop) : quiet(loop) {}
  loop::Timer quiet;
  bool again = false;
};

struct Site {
  Site(Gateway& gateway_in, size_t index_in, loop::Loop& loop_in);

  Gateway& gateway;
  const size_t index;
  loop::Loop& loop;
  http::Client http;
  loop::Group group;                 // work for other loops
  Meter meter;
  Upstreams upstreams;
  Catalogue catalogue;
  Watches watches;
  Parking parking;
  Retention retention;

  // Running calls of legacy sessions, by running_key(): for notifications/cancelled.
  std::unordered_map<std::string, loop::Scope*> running;
  std::unordered_map<std::string, Ask> asks;
  Visits visits;
  std::map<std::pair<std::string, Kind>, Storm> storms;  // by server, of those whose home is here
  std::unordered_map<uint64_t, Follower*> followers;     // by mark
  std::set<Listener*> listeners;                         // none comes or goes while they are told of something
  // Sessions of which this site is the owner that have a listen stream somewhere, and whose claim that is.
  std::map<ClaimKey, uint64_t> claims;  // what next_mark() gave
  SessionIds session_ids;
  // Shares of sessions that were ended by DELETE; bounded, oldest forgotten first (their ids expire by themselves).
  std::unordered_map<std::string, int64_t> ended;
  std::unordered_map<std::string, SessionState> sessions;  // by share
  std::unordered_map<std::string, int64_t> modern_clients;  // when they were last seen, by token, address and name
  std::unordered_map<std::string, GateState> gates;   // open ones, by token and project
  std::unordered_map<std::string, LinkedText> links;  // by token, project, prompt and URI
  std::map<std::string, ModelHealth> models;          // by model_key(); those that nobody uses any more are swept
  std::set<std::string> keeping_tools;                // server and tool: it has said how long results may be kept
  size_t programs = 0;                                // of stages, that run
  loop::Timer sweeper;               // of sessions
  loop::Timer heart;                 // of streams that listen
  uint64_t next_number = 0;          // of progress tokens, asks and what they come by

  uint64_t next_mark();              // unique over all loops, as the next
  std::string next_token();
  void end_session(const std::string& share);
  const SessionState* state_of(const std::string& share) const;  // nullptr: it has asked for nothing
  SessionState* make_state(const std::string& share, uint8_t owner);  // nullptr: there are too many
  void drop_state(const std::string& share);
  void sweep_models();

 private:
  void sweep();
  void beat();
};

class Gateway {
 public:
  Gateway(Options options, ControlPlane& plane);

  // Before the first request, for each loop.
  Site& attach(loop::Loop& loop);
  // On the site's loop: ends its server processes. No request may run any more.
  loop::Task<Result<void>> stop(Site& site, loop::Scope& scope) {
    site.parking.stop();
    site.watches.stop();
    return site.upstreams.stop(scope);
  }

  const Options& options() const { return options_; }
  ControlPlane& plane() { return plane_; }
  Shelf& shelf() { return shelf_; }
  Stages& stages() { return stages_; }
  size_t sites() const { return sites_.size(); }
  Site& site(size_t index) { return *sites_[index]; }
  Site& home_of(std::string_view server_id) { return *sites_[std::hash<std::string_view>()(server_id) % sites_.size()]; }
  // Runs on every site's loop, including the caller's (there, too, as a message).
  void tell_all(std::function<void(Site&)> what);

  // Tells the clients that listen that what a server offers of that kind is other than it was.
  void announce(const std::string& server_id, Kind kind);
  // The same, and no loop believes any longer what it has of it. On any loop, as the next.
  void list_changed(const std::string& server_id, Kind kind);
  // The same of a list that somebody was answered without, when it is there.
  void answers_again(const std::string& server_id, Kind kind);
  // On any loop: a notification of a server that no call hears. `share`: of the connection it came on.
  void server_says(const std::string& server_id, const std::string& share, mcp::Message message);
  // What the server offers may have changed meanwhile, all of it.
  void suspect(const std::string& server_id, const std::string& share);
  int64_t started_ms() const { return started_ms_; }  // wall clock
  const std::string& run_id() const { return run_id_; }  // another one after a restart

  Result<loop::ChildSpec> child_spec(const ServerSpec& server, const std::vector<Credential>& environment) const;
  int64_t jitter(int64_t below) const;

 private:
  Options options_;
  ControlPlane& plane_;
  Shelf shelf_;
  Stages stages_;
  void tell_client(const std::string& server_id, const std::string& share, std::shared_ptr<const mcp::Message> message);
  void announce_once(Site& home, const std::string& server_id, Kind kind);
  std::vector<std::unique_ptr<Site>> sites_;
  int64_t started_ms_ = 0;
  std::string run_id_;
};

}  // namespace mcptoken::gateway
