// The one strict pass behind Outline, validate and parse. Internal to lib/json.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "json/outline.h"

namespace mcptoken::json {

struct ScanRules {
  static constexpr int kNone = -1;
  int record_depth = kNone;   // nodes of at most this depth are recorded
  bool escaped_keys = false;  // whether recorded members may have names spelt with escapes
};

// Appends the recorded nodes in document order; returns the root's type.
Result<Type> scan(std::string_view text, const ScanRules& rules, const ReadLimits& limits, std::vector<Node>& nodes);

// The text that the inside of a string stands for. `inside` has passed scan.
std::string unescape(std::string_view inside);

}  // namespace mcptoken::json
