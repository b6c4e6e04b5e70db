// Writing rows, apart from summing them up: a batch pays once per session for the second.
#pragma once

#include <span>

#include "audit/query.h"

namespace mcptoken::audit {

Result<void> append_row(db::Transaction& transaction, Event& event);  // tidies it and sets event.seq

// Of events that are tidy, so none is too large to be written. Many at once cost less than half. After a failure some of them
// may be there: the transaction must be rolled back.
Result<void> append_rows(db::Transaction& transaction, std::span<EventView> events);

Result<void> summarize(db::Transaction& transaction, std::span<const EventView> events);

}  // namespace mcptoken::audit
