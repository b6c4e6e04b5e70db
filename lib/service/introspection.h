// What a control plane says about a token, as the gateway role keeps it for a while.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "crypto/secret.h"
#include "gateway/control_plane.h"
#include "json/value.h"
#include "service/plane_client.h"

namespace mcptoken::service {

// Immutable once stored. Holds no credential of a caller.
struct Verdict {
  std::shared_ptr<const rbac::Principal> who;
  std::shared_ptr<const gateway::ProjectView> project;
  std::optional<Error> refusal;  // then the two above are null
  std::string watch_id;          // under which the changes feed names the token; "" for none
  int64_t revision = 0;
  int64_t expires_ms = INT64_MAX;  // wall clock
  int64_t fresh_until_ms = 0;      // monotonic
};
using VerdictPtr = std::shared_ptr<const Verdict>;

// An answer of `introspect?project=true`, and the ticket for the changes feed that came with it. protocol: not one.
struct Introspection {
  Verdict verdict;
  crypto::Secret watch_ticket;
};
Result<Introspection> read_introspection(const json::Value& answer, const PlaneAddress& plane,
                                         const std::string& sha_hex);

}  // namespace mcptoken::service
