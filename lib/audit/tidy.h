// What the record keeps of texts that came from outside: readable, short, and without credentials. Every event passes
// here, whoever made it.
#pragma once

#include "audit/packed_event.h"

namespace mcptoken::audit {

inline constexpr size_t kTextBytes = 512;           // longest member of an event
inline constexpr size_t kPayloadBytes = 16 * 1024;  // longest payload; of a longer one only the size is kept

// Cuts what is far too long, at the cost of looking at the lengths: before an event waits for the writer.
void cut(Event& event);
// cut(), then: raw credentials become "[redacted]", control and invisible characters and bytes that are no UTF-8 become
// "?", and no text is longer than kTextBytes. Before an event is written.
void tidy(Event& event);
// The same, where most events cost one look at all of their texts. What is there afterwards.
EventView tidy(PackedEvent& packed);

}  // namespace mcptoken::audit
