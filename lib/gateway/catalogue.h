// What servers offer: raw lists, as the servers sent them, cached.
//
// Invariants:
//  1. A server that has not declared a capability offers nothing of its kinds, and is not asked.
//  2. One discovery of a list at a time, on the server's home loop; other loops keep copies with the same lifetime.
//  3. A list is used while fresh, for as long again while it is fetched anew, and at any age when that fails.
//  4. What a server calls private is given to the token alone for which it was fetched.
//  5. A server that fails is not asked again before its negative lifetime ends, which grows with each failure, and then nobody
//     waits for it: a dead server delays nobody after its first miss, whatever of its is asked for, and the first miss no longer
//     than the asker's deadline. Who was answered without it hears when it is back, also when nobody asks meanwhile.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/item.h"
#include "gateway/upstreams.h"
#include "loop/flight.h"

namespace mcptoken::gateway {

struct Site;

using Remarks = std::map<std::string, std::string, std::less<>>;  // by key

struct RawList {
  Kind kind = Kind::tools;
  std::vector<Item> items;
  // What the server lists and nobody is shown, and why. It cannot be asked for either.
  Remarks hidden;
  Remarks suspicious;  // what is shown, and has text that nobody sees
  // Tools with arguments that are headers, too.
  std::map<std::string, std::shared_ptr<const mcp::ParamHeaders>, std::less<>> headers;
  int64_t lifetime_ms = 0;     // when it was fetched
  int64_t fresh_until_ms = 0;  // monotonic
  bool is_private = false;     // cacheScope of any page
};
using RawListPtr = std::shared_ptr<const RawList>;

class Catalogue {
 public:
  explicit Catalogue(Site& site);

  // What a server offers of one kind, as the caller's connection sees it. On any loop.
  loop::Task<Result<RawListPtr>> list(Kind kind, std::shared_ptr<const ServerSpec> server, CallerShare caller,
                                      loop::Scope& scope);
  void invalidate(const std::string& server_id, Kind kind);
  // The server's process was started again: its lists may be others now, and are looked at.
  void restarted(const std::shared_ptr<const ServerSpec>& server, const UpstreamKey& upstream);
  // It answers again: nobody is kept from asking for that list any more.
  void forgive(const std::string& server_id, Kind kind);
  // Lists of other versions than here are of no use any more.
  void forget_stale(const Servers& present);
  // The list that the caller would be answered from, fresh or not, when it is here; nullptr otherwise. On any loop.
  RawListPtr at_hand(Kind kind, const ServerSpec& server, const CallerShare& caller) const;
  // The last list that the upstream sent to everybody, fresh or not; nullptr: none yet, or it is private. On its home loop.
  RawListPtr known(const UpstreamKey& upstream, Kind kind) const;

 private:
  struct Place {  // of an entry
    UpstreamKey upstream;
    Kind kind = Kind::tools;
    std::string token;  // of whom, when the list is private
    auto operator<=>(const Place&) const = default;
  };
  struct Entry {
    RawListPtr list;
    bool stale = false;             // invalidated
    uint64_t invalidations = 0;
    std::shared_ptr<const ServerSpec> server;  // that failed, and is asked again
    int64_t asked_ms = 0;           // by somebody, last
    bool restarted = false;         // its process was: who listens hears when the next list is another
    bool forgotten = false;         // of a definition that is no more: what still comes of it means nothing
    int failures = 0;               // in a row
    int64_t retry_at_ms = 0;        // after a failure
    std::optional<Error> error;
    int64_t began_ms = 0;           // of the flight under way
    bool missed = false;            // somebody was answered without this list: its arrival is news
    loop::Flight fetching;
  };

  loop::Task<Result<void>> refresh(std::shared_ptr<Entry> entry, std::shared_ptr<const ServerSpec> server, Place place,
                                   BearerPtr bearer);
  loop::Task<Result<RawListPtr>> from_home(std::shared_ptr<const ServerSpec> server, Place place, BearerPtr bearer,
                                           loop::Scope& scope);
  loop::Task<Result<RawListPtr>> fetch(std::shared_ptr<const ServerSpec> server, Place place, BearerPtr bearer,
                                       loop::Scope& scope);
  loop::Task<Result<void>> compare(std::shared_ptr<const ServerSpec> server, std::shared_ptr<RawList> list, loop::Scope& scope);
  // The last failure of a connection that was not there, while that is to be believed without asking.
  const Error* away(const UpstreamKey& upstream) const;
  bool hangs(const UpstreamKey& upstream, const ServerSpec& server) const;
  void note_failure(Entry& entry, const Place& place, const std::shared_ptr<const ServerSpec>& server, const Error& error);
  void ask_again();
  void warn_of_unseen(const ServerSpec& server, const RawList* before, const RawList& now);
  std::shared_ptr<Entry> entry_of(const Place& place);
  std::shared_ptr<Entry> own_entry(Place& place, const std::string& token);

  Site& site_;
  struct Away {
    Error error;
    int64_t until_ms;
  };
  std::map<Place, std::shared_ptr<Entry>> entries_;
  std::map<UpstreamKey, Away> away_;  // by what one_of() makes of a key
  loop::Timer again_;                 // while somebody was answered without a list of a server that lives here
  loop::Group group_;  // last: its tasks use everything above
};

}  // namespace mcptoken::gateway
