// What MCP clients and the gateway say to each other at this moment, for those who watch it. Nothing is kept, and
// nothing is done for it while nobody watches the project. On its way: Tap hears a message on its loop, Local knows the
// values of secrets, each loop that has a watcher who may hear of it writes it down and tells him.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/traffic.h"
#include "gateway/endpoint.h"
#include "gateway/instance.h"
#include "rbac/policy.h"

namespace mcptoken::service {

struct Snapshot;

inline constexpr size_t kTrafficTextBytes =
    64 << 10;  // of a request, or an answer, that is shown; of longer ones the size
inline constexpr size_t kTrafficStreamBytes = 1 << 20;  // of an answer that is kept to find its end

// One message of a client with what was answered, as it was. Of a batch each member is one.
struct Spoken {
  std::shared_ptr<const gateway::ProjectView> project;
  std::string facts;  // JSON, of what is no content
  // Empty when there is more of it than is shown; the sizes are always known.
  std::string request, answer;
  size_t request_bytes = 0, answer_bytes = 0;
};

// What one watcher hears of a project: that something was said where he may view the audit record, and what it was with
// the operation logs, which is the right to read what servers print, too.
enum class Hearing : uint8_t { nothing, facts, contents };
Hearing hearing(const Snapshot& snapshot, const control::TrafficWatch& wanted, const rbac::Principal& who,
                const std::string& project);

// As an event of a stream. `secrets` knows those of the project's servers; null: they cannot be known, and contents are
// left out.
std::string told(const Spoken& spoken, const gateway::Redactor* secrets, Hearing hearing);

// Stands between the gateway and one exchange's answer and keeps the beginning of it.
class Tap final : public gateway::Responder {
 public:
  Tap(gateway::Responder& to, const gateway::Caller& caller, const gateway::HttpRequest& request, const Clock& clock);

  void respond(int status, gateway::Headers headers, std::string body) override;
  void start_stream(gateway::Headers headers) override;
  void write(std::string_view bytes) override;
  void end_stream() override { to_.end_stream(); }
  bool gone() const override { return to_.gone(); }

  // What is to be told, once the request has been served; nothing of what was no message. From then on it keeps
  // nothing, and caller and request may go: an answer that stands as a stream is still written through it.
  std::vector<Spoken> spoken();

 private:
  std::vector<Spoken> members(const std::string& answers) const;
  std::optional<Spoken> one(std::string said, std::string answer, size_t answer_bytes) const;
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
