// How tools and prompts announce the virtual arguments, `_resultId`, `_page` and `_section`: as optional properties of
// the input schema, or arguments behind the prompt's own. All else stays as it is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace mcptoken::gateway {

// Where a definition takes the virtual arguments: found once, when the list is read.
struct VirtualPlace {
  uint32_t at = 0;          // in the definition's JSON; 0: nowhere
  bool has_others = false;  // tools: behind the place; prompts: in front of it
  bool is_missing = false;  // `properties`, or `arguments`
  bool of_prompt = false;
};
VirtualPlace find_virtual_place(std::string_view tool);
VirtualPlace find_prompt_place(std::string_view prompt);
// What is to be inserted there.
std::string virtual_arguments(const VirtualPlace& place);

}  // namespace mcptoken::gateway
