// Events that a gateway elsewhere has seen and hands in later. It numbers those of one token from 1 on, in a stream
// whose name it chose; a stream is one loop of one process. So what was lost on the way is known by its exact number,
// and what is handed in again is not written again.
#pragma once

#include <string>
#include <vector>

#include "audit/event.h"

namespace mcptoken::audit {

struct Reported {
  int64_t number = 0;  // from 1
  Event event;         // seq is set when it is written
};

struct Batch {
  std::string stream;
  std::vector<Reported> events;  // by number, rising
  int64_t next = 1;              // of the first that is still to come: all before it are here, were here, or are lost
};

struct Taken {
  int64_t written = 0;
  int64_t repeated = 0;
  int64_t lost = 0;  // declared in events_lost records, each in front of what came after the gap
  int64_t next = 1;  // what the stream is expected to go on with
};

// `by`: what is known of whoever hands it in; what the events of gaps get beside their number. It names the token.
Result<Taken> take(db::Transaction& transaction, const Event& by, Batch batch);

// Forgets streams that were last heard of before that instant, `most` at a time; how many went. One that goes on after
// that seems to have lost what it had handed in.
Result<int64_t> forget_streams(db::Transaction& transaction, int64_t before_ms, int64_t most);

}  // namespace mcptoken::audit
