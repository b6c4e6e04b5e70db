// How tools announce the virtual arguments, `_resultId`, `_page` and `_section`: as optional properties of the input
// schema, which otherwise stays as it is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mcptoken::gateway {

// Where a tool's input schema takes the virtual arguments: found once, when the list is read.
struct VirtualPlace {
  uint32_t at = 0;  // in the tool's JSON; 0: nowhere
  bool before_others = false;
  bool needs_properties = false;
};
VirtualPlace find_virtual_place(std::string_view tool);
// What is to be inserted there.
std::string virtual_arguments(const VirtualPlace& place);

}  // namespace mcptoken::gateway
