// notifications/cancelled, towards a server and from one.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "mcp/message.h"

namespace mcptoken::mcp {

// Why a request that a client takes back is cancelled; `reason` is the client's own, raw JSON of a string, "" for none.
Error withdrawal(std::string_view reason);

// The notification about our request `id`, for whatever reason it is cancelled: a client's own words are passed on.
std::string cancellation(std::string_view id, const Error& reason);

// The id of the request that a server wants no answer to any more. Null: the notification is another one.
const json::Node* withdrawn_request(const Message& notification);

}  // namespace mcptoken::mcp
