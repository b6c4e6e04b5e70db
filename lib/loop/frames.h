// Memory of coroutine frames. A call has a dozen of them, of a few sizes and for a short time: what one gives back the next
// one takes, still warm, where an allocator for everything takes its slow way with pieces of more than a kilobyte.
//
// Any thread; each keeps its own, and gives it back to the allocator when it ends.
#pragma once

#include <cstddef>

namespace mcptoken::loop {

class Frames {
 public:
  static void* take(size_t size) noexcept;  // null: there is no memory
  static void give(void* memory, size_t size) noexcept;
};

}  // namespace mcptoken::loop
