// Writing rows, apart from summing them up: a batch pays once per session for the second.
#pragma once

#include <span>

#include "audit/query.h"

namespace mcptoken::audit {

Result<void> append_row(db::Transaction& transaction, Event& event);  // sets event.seq

// Many at once cost less than half. Those that can never be written (too large, or no text) keep seq 0 and are counted.
Result<uint64_t> append_rows(db::Transaction& transaction, std::span<Event> events);

Result<void> summarize(db::Transaction& transaction, std::span<const Event> events);

}  // namespace mcptoken::audit
