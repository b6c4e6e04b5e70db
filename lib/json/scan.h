// The one strict pass behind Outline, validate and parse. Internal to lib/json.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "json/outline.h"

namespace mcptoken::json {

inline constexpr int kRecordNothing = -1;

// Appends the nodes of at most that depth, in document order; returns the root's type. `escaped` is made when there is a name for
// it; it may be nullptr.
Result<Type> scan(std::string_view text, int record_depth, const ReadLimits& limits, std::vector<Node>& nodes,
                  std::unique_ptr<EscapedKeys>* escaped);

// The text that the inside of a string stands for. `inside` has passed scan.
std::string unescape(std::string_view inside);

}  // namespace mcptoken::json
