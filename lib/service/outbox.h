// What a loop of a gateway has to tell its control plane: events that only the gateway has seen, by the token that they
// are about. Without I/O; reporter.h sends what this packs.
//
// Invariants:
//  1. Each event gets the next number of its token's stream. One that is dropped leaves a gap, so the control plane
//  learns
//     how many there were.
//  2. A bearer is held while there is something to tell with it, for limits::kReportKeepMs at most.
//  3. One parcel of a token is on its way at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "audit/reports.h"
#include "base/limits.h"
#include "gateway/control_plane.h"
#include "service/snapshot.h"

namespace mcptoken::service {

class Outbox {
 public:
  // Events and tokens that it holds at most.
  struct Room {
    Room() = default;
    size_t events = limits::kReportsWaiting, of_token = limits::kReportsOfToken, tokens = limits::kReportTokens;
  };
  explicit Outbox(const Room& room) : room_(room) {}

  // False: there are too many tokens, and nobody will know of it. A denial takes the place of what is none.
  bool add(const crypto::Digest& sha, const std::string& project, audit::Event event, gateway::BearerPtr bearer,
           int64_t now_ms);

  struct Parcel {
    crypto::Digest sha{};
    std::string project;
    std::string body;  // of the request
    gateway::BearerPtr bearer;
    int64_t next = 1;  // of the first that is not in it
    bool empty = true;
  };
  // The next parcel to send, which is on its way until one of the three below is called.
  std::optional<Parcel> pack(int64_t now_ms);
  void delivered(const Parcel& parcel);
  void failed(const Parcel& parcel, int64_t now_ms);  // to be sent again after a pause
  // It is not taken and never will be: its events are lost, which the next parcel tells.
  void spoiled(const Parcel& parcel);
  // Nothing is taken with this token any more. How many events nobody will know of.
  int64_t refused(const Parcel& parcel);

  // Drops what has waited too long, and forgets tokens that have been quiet; how many events nobody will know of.
  int64_t tidy(int64_t now_ms);
  void hurry();                      // no pauses from here on
  bool waits(int64_t now_ms) const;  // something is due, or on its way
  bool empty() const { return streams_.empty(); }
  size_t events() const { return events_; }

 private:
  struct Stream {
    std::string name, project;
    gateway::BearerPtr bearer;
    std::deque<audit::Reported> waiting;
    int64_t next = 1;  // number of the next event
    int64_t told = 1;  // the control plane knows of all before it
    bool on_its_way = false;
    int failures = 0;
    int64_t due_ms = 0;
    int64_t used_ms = 0;   // the last event
    int64_t stuck_ms = 0;  // the oldest event that could not be told
  };
  bool is_due(const Stream& stream, int64_t now_ms) const;
  void make_room(Stream& stream, const audit::Event& event);
  void drop(Stream& stream, std::deque<audit::Reported>::iterator at);
  void take_out(Stream& stream, int64_t next);
  void settle(Stream& stream);

  Room room_;
  std::unordered_map<crypto::Digest, Stream, DigestHash> streams_;
  size_t events_ = 0;
};

}  // namespace mcptoken::service
