// What is done to a data directory that no service has open.
#pragma once

#include <string>

#include "base/result.h"
#include "crypto/secret.h"

namespace mcptoken::service {

// busy: a service has the directory. not_found: no such user, or no database there (none is made). invalid: the password.
Result<void> reset_password(const std::string& data_dir, const std::string& email, const crypto::Secret& password);

}  // namespace mcptoken::service
