// The record as it was written, from its beginning on, for those who keep it elsewhere.
#pragma once

#include <vector>

#include "audit/event.h"

namespace mcptoken::audit {

struct Exported {
  Event event;
  crypto::Digest link{};  // of the chain; chain.h
};

// Events behind `after_seq` in the order of arrival, of all projects: at most `limit`, and only those that are linked.
Result<std::vector<Exported>> export_events(db::Transaction& transaction, int64_t after_seq, int64_t limit);

}  // namespace mcptoken::audit
