// Follows the changes feed of a control plane, on one loop for all: one poll at a time, with the newest ticket that
// introspection gave. Without the feed verdicts end by their age alone.
#pragma once

#include <functional>
#include <string>

#include "base/log.h"
#include "crypto/secret.h"
#include "http/client.h"
#include "loop/loop.h"
#include "metrics/cells.h"
#include "service/verdicts.h"

namespace mcptoken::service {

class Follower {
 public:
  using Tell = std::function<void(TokenChanges)>;
  Follower(loop::Loop& loop, http::Client& client, const PlaneAddress& plane, Log log, Tell tell)
      : loop_(loop), client_(client), plane_(plane), log_(std::move(log)), tell_(std::move(tell)) {}

  // On the loop. The first ticket begins the following, after the revision that came with it.
  void offer(crypto::Secret ticket, int64_t revision);
  // Any thread: the last poll was answered.
  bool follows() const { return follows_.value() != 0; }

 private:
  loop::Task<Result<void>> follow();
  // True: go on at once.
  loop::Task<Result<bool>> poll();
  void missing(const Error& error);

  loop::Loop& loop_;
  http::Client& client_;
  const PlaneAddress& plane_;
  Log log_;
  Tell tell_;
  crypto::Secret ticket_;
  int64_t revision_ = 0;
  bool started_ = false;
  bool running_ = false;
  metrics::Gauge follows_;
  bool missing_ = false;  // said in the log already
  int failures_ = 0;
  loop::Group group_;  // last: its task uses everything above
};

}  // namespace mcptoken::service
