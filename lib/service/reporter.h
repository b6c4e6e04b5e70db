// Sends what only this gateway has seen, denials and sessions, to the control plane's audit record: one loop's events,
// a batch of one token at a time, with that token's bearer.
#pragma once

#include "base/log.h"
#include "http/client.h"
#include "loop/loop.h"
#include "service/outbox.h"
#include "service/plane_client.h"

namespace mcptoken::service {

class Reporter {
 public:
  Reporter(loop::Loop& loop, http::Client& client, const PlaneAddress& plane, Log log)
      : loop_(loop), client_(client), plane_(plane), log_(std::move(log)), timer_(loop) {}

  void record(gateway::CallRecord record);
  // Sends what is there, each batch once. Until that is answered, or limits::kReportFlushMs are over.
  loop::Task<Result<void>> flush(loop::Scope& scope);

 private:
  void turn();
  loop::Task<Result<void>> send(Outbox::Parcel parcel);
  void settle(const Outbox::Parcel& parcel, const Error& error);
  void lost(int64_t count, std::string_view why);

  loop::Loop& loop_;
  http::Client& client_;
  const PlaneAddress& plane_;
  Log log_;
  Outbox outbox_{Outbox::Room()};
  bool away_ = false;  // said in the log already
  loop::Timer timer_;
  loop::Group group_;  // last: its tasks use everything above
};

}  // namespace mcptoken::service
