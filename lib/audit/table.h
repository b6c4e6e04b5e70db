// Writing rows, apart from summing them up: a batch pays once per session for the second.
#pragma once

#include <span>

#include "audit/query.h"

namespace mcptoken::audit {

Result<void> append_row(db::Transaction& transaction, Event& event);  // sets event.seq

// Many at once cost less than half. None is too large to be written: tidy() has seen all of them. After a failure some of
// them may be there: the transaction must be rolled back.
Result<void> append_rows(db::Transaction& transaction, std::span<Event> events);

Result<void> summarize(db::Transaction& transaction, std::span<const Event> events);

}  // namespace mcptoken::audit
