// Where a loop's programs are started, which takes as long as it takes.
#pragma once

#include "loop/loop.h"
#include "loop/worker.h"

namespace mcptoken::loop {

// Made with the first program, ends with the loop; on the loop's thread. What it has started is killed by the kernel when it ends.
Worker& starter_of(Loop& loop);

}  // namespace mcptoken::loop
