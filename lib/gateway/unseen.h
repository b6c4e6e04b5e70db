// What a model reads in an entry of a list and a person does not see: text that is written for the one and hidden from the other.
#pragma once

#include <string>
#include <string_view>

namespace mcptoken::gateway {

// In words, "" when there is nothing. `entry`: JSON, whose strings may have escapes.
std::string unseen_in(std::string_view entry);

}  // namespace mcptoken::gateway
