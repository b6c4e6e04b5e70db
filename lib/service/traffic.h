// What MCP clients and the gateway say to each other at this moment, for those who watch it. Nothing is kept, and
// nothing is done for it while nobody watches. On its way: Tap hears a message on its loop, Local knows the values of
// secrets on the store's thread, each loop tells its watchers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "control/traffic.h"
#include "gateway/endpoint.h"
#include "gateway/instance.h"
#include "rbac/policy.h"

namespace mcptoken::service {

struct Snapshot;

inline constexpr size_t kTrafficTextBytes =
    64 << 10;  // of a request, or an answer, that is shown; of longer ones the size
inline constexpr size_t kTrafficStreamBytes = 1 << 20;  // of an answer that is kept to find its end

// One message of a client with what was answered, as it was.
struct Spoken {
  std::shared_ptr<const gateway::ProjectView> project;
  std::string facts;  // JSON, of what is no content
  // Empty when there is more of it than is shown; the sizes are always known.
  std::string request, answer;
  size_t request_bytes = 0, answer_bytes = 0;
};

// The same as two events of a stream: for those who may see what was said, and for those who may know that it was.
// Shared by all loops.
struct Told {
  std::string project;
  std::string with_contents, without_contents;
};

// `secrets` knows those of the project's servers; null: they cannot be known, and contents are left out.
Told told(const Spoken& spoken, const gateway::Redactor* secrets);

// Which of it one watcher hears: of projects whose audit record he may view, and contents with the operation logs,
// which is the right to read what servers print, too.
std::string_view heard(const Snapshot& snapshot, const control::TrafficWatch& wanted, const rbac::Principal& who,
                       const Told& told);

// Stands between the gateway and one exchange's answer and keeps the beginning of it.
class Tap final : public gateway::Responder {
 public:
  Tap(gateway::Responder& to, const gateway::Caller& caller, const gateway::HttpRequest& request, const Clock& clock);

  void respond(int status, gateway::Headers headers, std::string body) override;
  void start_stream(gateway::Headers headers) override;
  void write(std::string_view bytes) override;
  void end_stream() override { to_.end_stream(); }
  bool gone() const override { return to_.gone(); }

  // What is to be told, once the request has been served; nothing of what was no message. From then on it keeps nothing,
  // and caller and request may go: an answer that stands as a stream is still written through it.
  std::optional<Spoken> spoken();

 private:
  void keep(std::string_view bytes);
  void note(int status, const gateway::Headers& headers);
  std::string session(const gateway::HttpRequest& request) const;

  gateway::Responder& to_;
  const gateway::Caller& caller_;
  const gateway::HttpRequest& request_;
  const Clock& clock_;
  const std::string said_;  // the body: the request is consumed
  const int64_t began_ms_, began_wall_ms_;
  int status_ = 0;
  bool streamed_ = false, cut_ = false, told_ = false;
  std::string given_session_;  // of the answer to initialize
  std::string kept_;
  size_t answer_bytes_ = 0;  // of all that was answered
};

}  // namespace mcptoken::service
