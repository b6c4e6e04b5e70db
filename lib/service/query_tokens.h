// Credentials that were sent where they do not belong.
#pragma once

#include <vector>

#include "crypto/crypto.h"
#include "service/auth.h"

namespace mcptoken::service {

// Digests of the raw tokens and sessions in the query, from where they leak to logs and histories: such a request is
// refused.
std::vector<crypto::Digest> tokens_in_query(const Head& head);

}  // namespace mcptoken::service
