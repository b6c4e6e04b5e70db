// Where a list goes on, as clients hand it back: sealed, so that it tells nothing of what is behind it, and of use to
// the one who got it and for that list alone.
#pragma once

#include "control/control.h"

namespace mcptoken::control {

Result<std::string> seal_cursor(const Control& control, const Context& context, std::string_view place);
// The place in ?cursor=, or nothing without one. invalid: it is not one of ours, somebody else's, or of another list.
Result<std::optional<std::string>> cursor_of(const Control& control, const Context& context);

// The part of `items` that ?limit= and ?cursor= ask for, in the order of their keys: {"items","cursor"?,"revision"}.
using Keyed = std::pair<std::string, json::Value>;
Result<json::Value> page_of(const Control& control, Context& context, std::vector<Keyed> items);
Result<Response> page(const Control& control, Context& context, std::vector<Keyed> items);  // as an answer

}  // namespace mcptoken::control
