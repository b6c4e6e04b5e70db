// The seam between requests and where it is known who may call what. Local decides in this process, Remote asks a
// control plane and remembers the answer for a while.
#pragma once

#include <memory>
#include <string>

#include "gateway/control_plane.h"
#include "loop/loop.h"
#include "service/auth.h"

namespace mcptoken::service {

struct Node;

// What a request to an MCP endpoint is admitted with.
struct Access {
  Identity identity;
  std::shared_ptr<const gateway::ProjectView> project;
  gateway::BearerPtr to_control_plane;  // null in process: the bearer goes nowhere
};

class Authority : public gateway::ControlPlane {
 public:
  // Before the first request, for each loop.
  virtual void attach(Node& node) = 0;
  // Who asks at an MCP endpoint, judged on the head, which outlives the task. Errors as the authentication table has
  // them; the same bytes wherever it is decided. Unavailable (503 `auth_unavailable`): nobody can say at the moment.
  virtual loop::Task<Result<Access>> admit(Node& node, const Head& head, loop::Scope& scope) = 0;
  // What the caller sees now: a request may have been on its way for a while since it was admitted.
  virtual std::shared_ptr<const gateway::ProjectView> project_now(Node& node, const Access& access) = 0;
  // The node's last requests have ended: hands over what was recorded of them.
  virtual loop::Task<Result<void>> flush(Node& node, loop::Scope& scope) = 0;
};

}  // namespace mcptoken::service
