// Results of tools that may be shown again: where the server's definition says so for the tool, or the server itself
// with `ttlMs` in the result. Kept for one token, project and version of the definition, and for the same arguments,
// byte for byte.
#pragma once

#include <optional>
#include <string>

#include "cache/entry.h"
#include "gateway/parking.h"
#include "gateway/view.h"
#include "loop/task.h"

namespace mcptoken::gateway {

class CallCache {
 public:
  // Does nothing for what is no call of a tool or may not be kept. Borrows everything.
  CallCache(Site& site, const Caller& caller, const Target& target, Kind kind, const mcp::Message& request);

  // False: find() would find nothing, and need not be asked.
  bool may_find() const;
  // What was answered before, or nothing. Errors: the scope was cancelled.
  loop::Task<Result<std::optional<UpstreamAnswer>>> find(loop::Scope& scope);
  void keep(const UpstreamAnswer& answer);

 private:
  cache::Key key();

  Site& site_;
  const Caller& caller_;
  const Target& target_;
  const mcp::Message& request_;
  std::string tool_;  // server and tool; "": nothing is kept
  int64_t operator_ms_ = 0;
  std::optional<cache::Key> key_;  // once it was needed
};

}  // namespace mcptoken::gateway
