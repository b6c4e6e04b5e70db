// "Did you mean …?" for commands, flags, kinds, names and values.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace mcpctl {

// The candidate that `word` probably meant: one that it begins, or the nearest within two changes of a letter; "" when
// nothing is near.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);
// "did you mean "X"?", or "".
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace mcpctl
