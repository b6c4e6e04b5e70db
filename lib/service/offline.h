// What is done to a data directory that no service has open.
#pragma once

#include <string>

#include "base/result.h"
#include "crypto/secret.h"

namespace mcptoken::service {

// busy: a service has the directory. not_found: no such user, or no database there (none is made). invalid: the password.
// unavailable: the key is missing.
Result<void> reset_password(const std::string& data_dir, const std::string& key_file, const std::string& email,
                            const crypto::Secret& password);

// Checks the chain of the audit record as it stands there; changes nothing. `expected_head`: "SEQ:HASH", or empty. The answer is
// JSON, see control/event_json.h. busy, not_found as above; invalid: the expected head; unavailable: the key is missing.
Result<std::string> verify_audit(const std::string& data_dir, const std::string& key_file, const std::string& expected_head);

}  // namespace mcptoken::service
