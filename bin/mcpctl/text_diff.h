// A unified diff of two texts, three lines of context, as `diff -u` writes it.
#pragma once
#include <string>
#include <string_view>

namespace mcpctl {

// "" when they are equal. The names go behind "---" and "+++".
std::string unified_diff(std::string_view before, std::string_view after, const std::string& before_name,
                         const std::string& after_name);

}  // namespace mcpctl
