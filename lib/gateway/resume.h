// A GET that asks for what came after an event of a call's stream, and stays with the call until its answer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/endpoint.h"

namespace mcptoken::gateway {

// One such request, once it stands. On its site's loop; registers itself there.
class Follower final : public Standing {
 public:
  // `name`: of the stream, which `owner` keeps.
  Follower(Exchange& exchange, Site& owner, std::string name);
  ~Follower() override;
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  uint64_t mark() const { return mark_; }
  void start();
  void take(std::string_view events, bool last);  // maybe the end of this object
  void beat(int64_t now_ms);
  void end(const Error& reason) override;

 private:
  Site& site_;
  Site& owner_;
  const std::string name_;
  Responder& responder_;
  Link& link_;
  const uint64_t mark_;
  bool started_ = false, ended_ = false;
  int64_t beat_ms_ = 0;
};

// On the site of the follower; nothing happens when it has gone. `last`: nothing more comes.
void deliver(Site& site, uint64_t mark, std::string_view events, bool last);

loop::Task<Result<void>> resume_legacy(Exchange& exchange, SessionId session, std::string last_id);

}  // namespace mcptoken::gateway
