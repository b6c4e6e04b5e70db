// A raw token or session has no place in any object.
#pragma once

#include <string>

#include "base/result.h"
#include "json/value.h"

namespace mcptoken::control {

// invalid, with the path of the text that holds one.
Result<void> refuse_credentials(const json::Value& value, const std::string& path);

}  // namespace mcptoken::control
