// What servers say unasked: changes of their lists and of resources. One stream to a server for each group of callers that
// may share a connection, on the server's home loop, for as long as some client there listens, or a list is kept that the
// server would announce the change of.
//
// Invariants:
//  1. A stream that ends is opened again after a backoff, which grows while streams do not last, and then whoever listens is told
//     that everything may have changed: something may have been missed.
//  2. There is no way to change what a modern stream carries: the new one is open before the old one is closed. A legacy
//     stream stays, and the server is told of single resources.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gateway/upstreams.h"

namespace mcptoken::gateway {

struct Site;

// What one client wants of one server. `client` tells it from all others: it is replaced and taken back by that name.
struct WatchWish {
  WatchWish() = default;
  std::string client;
  std::shared_ptr<const ServerSpec> server;
  UpstreamKey key;
  BearerPtr bearer;
  std::set<std::string> uris;  // as the server calls them; beside the changes of its lists
};

class Watches {
 public:
  explicit Watches(Site& site) : site_(site) {}

  // On the home loop of the wish's server. Resolves when the server has been told, with its refusal if there was one.
  loop::Task<Result<void>> want(WatchWish wish, loop::Scope& scope);
  // On the server's home loop: its stream is open until then (monotonic), also while no client listens, if the server says when
  // its lists change. One that gives no stream, or none that lasts, is not asked again before it is kept anew.
  void keep(std::shared_ptr<const ServerSpec> server, const UpstreamKey& key, int64_t until_ms);
  void keep_only(const Servers& present);  // what is gone, or of another version, is kept no longer
  void forget(const std::string& client);  // all of its wishes on this loop
  void forget_session(const std::string& session);  // those of clients named SESSION, a blank, and more
  void stop();

 private:
  struct Watch;
  using WatchPtr = std::shared_ptr<Watch>;
  // One stream, from its opening to its end.
  struct Stream {
    explicit Stream(loop::Scope& parent) : scope(parent) {}
    loop::Scope scope;
    uint64_t revision = 0;
    bool open = false;
    int64_t opened_ms = 0;   // 0: it has not taken its place
    bool is_wished = false;  // by a client; otherwise a server that gives none is left alone
  };
  struct Watch {
    explicit Watch(loop::Loop& loop) : retry(loop), kept(loop) {}
    std::shared_ptr<const ServerSpec> server;
    UpstreamKey key;
    BearerPtr bearer;
    // Wishes come and go one at a time, and are many: nothing walks through all of them.
    using Wishes = std::map<std::string, std::set<std::string>>;  // by client
    void wish(const std::string& client, std::set<std::string> uris);
    Wishes::iterator withdraw(Wishes::iterator wish);
    std::set<std::string> uris() const;
    Wishes wishes;
    std::map<std::string, size_t> wanted;  // URIs, and how many wishes name each
    uint64_t revision = 1;                 // of the URIs
    std::shared_ptr<Stream> stream;                       // the one that is open
    std::shared_ptr<Stream> opening;                      // its successor
    std::set<std::string> told;                           // URIs that a legacy server knows of
    std::optional<Error> last_error;                      // why there is none
    int failures = 0;                                     // streams in a row that were refused or did not last
    bool missed = false;                                  // there was a time without a stream
    std::vector<std::shared_ptr<loop::Completion<void>>> waiting;
    loop::Timer retry;
    loop::Timer kept;  // runs while it is kept
    int64_t kept_until_ms = 0;
    bool wanted_by_nobody() const { return wishes.empty() && !kept.running(); }
  };

  WatchPtr watch_of(const std::shared_ptr<const ServerSpec>& server, const UpstreamKey& key);
  void settle_forgotten(const std::vector<WatchPtr>& touched);
  void step(WatchPtr watch);
  void opened(Watch& watch, std::shared_ptr<Stream> stream, Result<void> result);
  void ended(WatchPtr watch, std::shared_ptr<Stream> stream, const Error& error);
  void settle(Watch& watch, Result<void> result);
  void close(const UpstreamKey& key);
  loop::Task<Result<void>> run(WatchPtr watch, std::shared_ptr<Stream> stream);
  loop::Task<Result<void>> tell_legacy(WatchPtr watch, std::shared_ptr<Stream> stream, std::set<std::string> uris);
  loop::Task<Result<void>> ask_legacy(WatchPtr watch, std::string method, std::string uri, loop::Scope& scope);

  Site& site_;
  std::map<UpstreamKey, WatchPtr> watches_;
  loop::Group group_;  // last: its tasks use everything above
};

}  // namespace mcptoken::gateway
