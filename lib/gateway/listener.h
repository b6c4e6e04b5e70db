// A client's open stream for what belongs to no request: the GET stream of a legacy session, or a subscriptions/listen.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/asked.h"
#include "gateway/control_plane.h"
#include "gateway/endpoint.h"
#include "gateway/kinds.h"
#include "gateway/watches.h"

namespace mcptoken::gateway {

constexpr uint8_t bit_of(Kind kind) { return static_cast<uint8_t>(1u << static_cast<unsigned>(kind)); }

// Of a listener, in one server of its project.
struct Interest {
  Attachment attachment;
  UpstreamKey key;                  // of the connection whose stream is watched
  std::vector<std::string> shares;  // under which the client may have subscribed to its resources
};

inline constexpr uint8_t kEveryKind = 0xff;

// On its site's loop. Registers itself there. There are thousands of them: what can be worked out again is not kept.
class Listener : public Standing {
 public:
  // `kinds`: whose lists the client wants to hear of.
  Listener(Exchange& exchange, const Client& client, uint8_t kinds);
  ~Listener() override;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  void changed(const std::string& server_id, Kind kind);
  // The tools of that token are others now, whatever servers say.
  void tools_changed(const std::string& token_sha, const std::string& project_id);
  // A resource has changed; `message` is the server's notification.
  void updated(const std::string& server_id, const std::string& share, const mcp::Message& message);
  // Something may have been missed on the server's stream: all resources there that are wanted count as changed.
  void suspect(const std::string& server_id, const std::string& share);

  // `share`: that of a legacy session.
  bool is_of(std::string_view share) const { return has_session_ && is_session_share(share, session_, who_->token_sha); }
  // Ends the stream, and with it, at the end of the turn, the listener.
  void leave(const Error& reason) { link_.scope.cancel(reason); }
  // A question of a server that belongs to no call: asks the client, whose answer comes as a POST of its own, or replies with
  // an error.
  void ask(const std::string& server_id, const mcp::Message& message, uint64_t asker, Function<void(std::string)> reply);
  // The server that asked wants no answer any more.
  void withdraw(const mcp::Message& notification, uint64_t asker);
  // A log line, or that an address was visited, of a server that says it to this client.
  void hear(const mcp::Message& notification);

  // Says something when nothing was said for a while: proxies end streams that are silent.
  void beat(int64_t now_ms);

  // Has the servers' streams opened, and waits until each is or has failed, or time is up.
  loop::Task<Result<void>> watch(std::set<std::string> uris, loop::Scope& scope);

 protected:
  virtual const std::set<std::string>& uris() const = 0;  // wanted resources, as the client calls them
  virtual std::string meta(std::string kept) const = 0;   // the notification's `_meta`, from what the server's may keep
  virtual void send(std::string_view message) { responder_.write(message); }
  // Of the session, or of the request.
  std::string own_share() const { return (has_session_ ? session_share : call_share)(session_, who_->token_sha); }

  Site& site_;
  Responder& responder_;

 private:
  void tell_updated(std::string_view uri, const mcp::Message* message);
  void follow(std::shared_ptr<const ProjectView> project);
  bool wants(Kind kind, const Attachment& attachment) const;
  std::vector<Interest> interests() const;
  void forget_watches(const std::vector<Interest>& interests, const std::string& name);
  void tell_changed(Kind kind);
  bool is_at(std::string_view uri, const std::string& server_id) const;
  CallerShare share() const;
  Link& link_;
  const std::shared_ptr<const rbac::Principal> who_;
  const BearerPtr bearer_;
  const std::string session_;
  const uint32_t capabilities_;
  const uint8_t kinds_;
  const bool has_session_;
  std::shared_ptr<const ProjectView> project_;
  std::string name_;  // towards Watches
  std::unique_ptr<Asked> asked_;    // null: nothing yet
  int64_t beat_ms_ = 0;  // when the next sign of life is due
  std::unique_ptr<loop::Group> following_;  // last: its tasks use everything above
};

// A subscription to a resource covers what lies below it, too.
bool covers(const std::set<std::string>& uris, std::string_view uri);

}  // namespace mcptoken::gateway
