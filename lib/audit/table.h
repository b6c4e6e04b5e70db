// Writing rows, apart from summing them up: a batch pays once per session for the second.
#pragma once

#include <span>

#include "audit/query.h"

namespace mcptoken::audit {

Result<void> append_row(db::Transaction& transaction, Event& event);  // sets event.seq
Result<void> summarize(db::Transaction& transaction, std::span<const Event> events);

}  // namespace mcptoken::audit
