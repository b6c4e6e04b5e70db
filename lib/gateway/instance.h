// A running (or failed) upstream as people see it: how it is, what became of it, what it said on stderr.
//
// Invariants: an instance belongs to its entry in Upstreams and lives on its loop; other loops get a view, a copy of
// one moment. Nothing in a view or a log holds a value that is known to be secret, an address, or an argument of a
// command.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/breaker.h"
#include "gateway/control_plane.h"
#include "gateway/redactor.h"
#include "loop/loop.h"
#include "loop/task.h"

namespace mcptoken::gateway {

struct Site;

enum class InstanceStatus : uint8_t { starting, running, error, stopping, stopped };
enum class Health : uint8_t {
  unknown,    // it has not been asked anything yet
  healthy,    // it answered what it was asked last
  unhealthy,  // it did not
};
std::string_view to_text(InstanceStatus status);  // "RUNNING"
std::string_view to_text(Health health);          // "healthy"
std::string_view to_text(Share share);            // "project"

struct TimedText {
  int64_t time_ms = 0;  // wall clock
  std::string text;
  int64_t number = 0;  // of a line of a log: the first that the instance said is 1, none is left out
};

struct InstanceView {
  std::string id;    // unguessable; the same through restarts
  std::string name;  // <server>-<its beginning>
  std::string server_id, server;
  size_t site = 0;  // where it lives
  Share share = Share::project;
  InstanceStatus status = InstanceStatus::starting;
  Health health = Health::unknown;
  Circuit circuit = Circuit::closed;
  pid_t pid = 0;         // 0: no process at the moment
  int64_t restarts = 0;  // how often it was opened again
  size_t calls = 0;      // under way
  bool stale = false;    // of a definition, or of secrets, that are no longer the present ones
  int64_t created_ms = 0, started_ms = 0;
  std::optional<std::vector<std::string>> tools;  // names that it listed last; nothing: it was not asked yet
  std::vector<TimedText> events;                  // the last limits::kInstanceEvents, oldest first
};

class Instance {
 public:
  // `id` is at least kShownId characters long.
  Instance(const Clock& clock, std::string id, const std::string& server);

  // Before each opening.
  void opening();
  void opened(const std::string& how);
  void failed(const std::string& why);
  void happened(std::string text);
  // The instance is known by these from now on, and keeps them to itself.
  void learn(const std::vector<Credential>& credentials);
  // Knows them; another one after each opening.
  const std::shared_ptr<const Redactor>& redactor() const { return redactor_; }
  // A line of stderr; as it is kept.
  std::string said(std::string_view line);
  // Of a probe. An event each time that the server's health changes.
  void answered_probe();
  void missed_probe(const std::string& why);
  void note_answer(bool answered) { health_ = answered ? Health::healthy : Health::unhealthy; }

  const std::string& id() const { return id_; }
  // All but what its entry knows.
  InstanceView view() const;
  std::vector<TimedText> log(size_t lines) const;  // the last ones

 private:
  static constexpr size_t kShownId = 6;

  const Clock& clock_;
  std::string id_, name_;
  Health health_ = Health::unknown;
  int64_t openings_ = 0;
  int64_t created_ms_ = 0, started_ms_ = 0;
  std::deque<TimedText> events_;
  std::shared_ptr<const Redactor> redactor_ = std::make_shared<const Redactor>();
  std::string held_;  // the end of a piece of an endless line
  std::deque<TimedText> log_;
  size_t log_bytes_ = 0;
  int64_t lines_ = 0;  // said so far
};

// --- over all loops. From the asker's loop; each other loop is asked by message.
loop::Task<Result<std::vector<InstanceView>>> list_instances(Site& asker, loop::Scope& scope);
// not_found: it has gone meanwhile.
loop::Task<Result<std::vector<TimedText>>> read_log(Site& asker, size_t site, std::string id, size_t lines,
                                                    loop::Scope& scope);
// Its running calls end with an error, its process is told to leave; the next call that needs the server starts
// another.
loop::Task<Result<bool>> end_instance(Site& asker, size_t site, std::string id, loop::Scope& scope);

}  // namespace mcptoken::gateway
