// Raw credentials inside of other texts.
#pragma once

#include <string_view>

namespace mcptoken::token {

// The first raw token or session in the text, empty when it holds none.
std::string_view find_raw(std::string_view text);

}  // namespace mcptoken::token
