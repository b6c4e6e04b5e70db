// Results of tools that may be shown again: where the server's definition says so for the tool, or the server itself
// with `ttlMs` in the result. Kept for one token, project and version of the definition (which a changed secret makes
// another one), for the tool as the server defines it, and for the same arguments, byte for byte.
#pragma once

#include <optional>
#include <string>

#include "cache/entry.h"
#include "gateway/endpoint.h"
#include "gateway/parking.h"
#include "gateway/view.h"
#include "loop/task.h"

namespace mcptoken::gateway {

class CallCache {
 public:
  // Does nothing for what is no call of a tool, has no arguments that can be compared, or may not be kept. Borrows
  // everything.
  CallCache(const Exchange& exchange, const Client& client, const Target& target, Kind kind,
            const mcp::Message& request);

  // False: find() would find nothing, and need not be asked.
  bool may_find() const;
  // What was answered before, or nothing. Errors: the scope was cancelled.
  loop::Task<Result<std::optional<UpstreamAnswer>>> find(loop::Scope& scope);
  void keep(const UpstreamAnswer& answer);

 private:
  std::string tool() const;  // and its server
  void settle_key(const RawListPtr& tools);

  Site& site_;
  const Exchange& exchange_;
  const Client& client_;
  const Target& target_;
  const mcp::Message& request_;
  bool keeps_ = false;
  int64_t operator_ms_ = 0;
  std::optional<cache::Key> key_;  // once it was needed
};

}  // namespace mcptoken::gateway
