// Where a reference leads that was found in an answer.
#pragma once

#include <string_view>

#include "base/result.h"
#include "http/url.h"

namespace mcptoken::http {

// RFC 3986 section 5.2, strict; `base` is what the answer came from. The reference's fragment is passed over. Refuses what
// parse_url refuses, other schemes among it.
Result<Url> resolve(const Url& base, std::string_view reference);

}  // namespace mcptoken::http
