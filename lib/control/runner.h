// What an asynchronous handler needs from its host. lib/service implements it for each request: transactions on the
// store's thread, password hashing on the hasher's.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/function.h"
#include "base/result.h"
#include "control/route.h"
#include "control/watch.h"
#include "json/value.h"
#include "loop/task.h"
#include "rbac/policy.h"

namespace mcptoken::control {

// What changed after a revision. `reset`: that cannot be told any more, everything may have.
struct Watched {
  int64_t revision = 0;
  bool reset = false;
  std::vector<WatchId> changed;
};

// A running or failed upstream of a server. `object` is what is shown of it, as kind `instance` describes it.
struct Instance {
  std::string id, name, server;
  json::Value object;
  size_t place = 0;                                    // where it lives: the host's to know
  std::optional<std::vector<std::string>> tools = {};  // names that it listed last; nothing: not known
};

using Links = std::map<std::string, std::string>;

// Of the pipeline cache. `object` is what is shown of it.
struct CacheEntry {
  std::string key, project_id;
  json::Value object;
};

// All calls on the request's loop thread; the returned tasks complete on it. The handler's frame may be destroyed while
// `work` still runs on another thread (the client has gone): pass work that owns what it uses.
class Runner {
 public:
  virtual ~Runner() = default;

  virtual const Request& request() const = 0;
  virtual const Route& route() const = 0;  // of routes(): lives for ever
  virtual const Params& params() const = 0;
  virtual const rbac::Principal& who() const = 0;

  // Runs `work` in one write transaction and answers after the commit. An error rolls back.
  virtual loop::Task<Result<Response>> in_transaction(Function<Result<Response>(Context&)> work) = 0;
  // The same for work that writes nothing: it goes on while the disk is full.
  virtual loop::Task<Result<Response>> reading(Function<Result<Response>(Context&)> work) = 0;
  // As in_transaction, with the space that is kept for a full disk. For what does little of it, seldom.
  virtual loop::Task<Result<Response>> with_reserve(Function<Result<Response>(Context&)> work) = 0;
  // Runs `work` on the hasher's thread, one at a time behind a queue of 16; a full queue is Status::limit (429).
  virtual loop::Task<Result<std::string>> off_loop(Function<Result<std::string>()> work) = 0;
  // Waits up to limits::kWatchPollMs for a change of any token after `since`. limit (429): too many wait already.
  virtual loop::Task<Result<Watched>> changes(int64_t since) = 0;

  // Of prompts that follow a link, by id: why it could not be followed last, or "".
  virtual loop::Task<Result<Links>> links() = 0;

  // --- what runs at the moment, on all loops
  virtual loop::Task<Result<std::vector<Instance>>> instances() = 0;
  // Its last lines, [{"time","text"}], oldest first. not_found: it has gone meanwhile.
  virtual loop::Task<Result<json::Value>> instance_log(Instance instance, size_t lines) = 0;
  virtual loop::Task<Result<bool>> end_instance(Instance instance) = 0;

  // --- what the program is and has; of language models its own, and those of the projects with these ids
  virtual loop::Task<Result<json::Value>> status(std::vector<std::string> project_ids) = 0;

  // --- the pipeline cache
  virtual loop::Task<Result<json::Value>> cache_stats() = 0;
  virtual loop::Task<Result<std::vector<CacheEntry>>> cache_entries() = 0;
  // Of the project with that id, or all of it for "". How many entries there were.
  virtual loop::Task<Result<int64_t>> clear_cache(std::string project_id) = 0;
};

}  // namespace mcptoken::control
