#include "loop/frames.h"

#include <array>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

namespace mcptoken::loop {
namespace {

constexpr size_t kStep = 128;     // sizes are rounded up to these
constexpr size_t kLargest = 8192;
constexpr uint32_t kKept = 64;    // of one size: what so many calls at once use again and again

// Under a sanitizer each frame is new memory, so that the use of a dead one is found.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kKeeps = false;
#else
constexpr bool kKeeps = true;
#endif

struct Free {
  Free* next;
};

struct Shelf {
  Free* first = nullptr;
  uint32_t count = 0;
};

using Shelves = std::array<Shelf, kLargest / kStep + 1>;

constexpr Shelves full_shelves() {
  Shelves shelves;
  for (Shelf& shelf : shelves) shelf.count = kKept;
  return shelves;
}
// Of threads that have ended theirs, and have frames to give with other objects, or that got no memory: nothing is taken from
// it, nothing kept, and nothing written.
constinit Shelves closed = full_shelves();

// What is reached without a call is memory that libraries loaded late have little of, all of a library's variables of threads
// together: so there is this pointer, and who owns what it points at.
thread_local Shelves* here [[gnu::tls_model("initial-exec")]] = nullptr;

struct Owner {
  Owner() : shelves(new (std::nothrow) Shelves) { here = shelves ? shelves.get() : &closed; }
  ~Owner() {
    Shelves& mine = *std::exchange(here, &closed);
    for (Shelf& shelf : mine) {
      while (Free* one = shelf.first) {
        shelf.first = one->next;
        ::operator delete(one);
      }
    }
  }
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;
  std::unique_ptr<Shelves> shelves;
};

[[gnu::noinline]] Shelves& first_use() {
  thread_local Owner mine;
  return *here;
}

Shelf& shelf_for(size_t size) {
  Shelves& shelves = here ? *here : first_use();
  return shelves[(size + kStep - 1) / kStep];
}

constexpr size_t rounded(size_t size) { return (size + kStep - 1) / kStep * kStep; }

}  // namespace

void* Frames::take(size_t size) noexcept {
  if (!kKeeps || size > kLargest) return ::operator new(size, std::nothrow);
  Shelf& shelf = shelf_for(size);
  if (Free* one = shelf.first) {
    shelf.first = one->next;
    --shelf.count;
    return one;
  }
  return ::operator new(rounded(size), std::nothrow);
}

void Frames::give(void* memory, size_t size) noexcept {
  if (!kKeeps || size > kLargest) return ::operator delete(memory);
  Shelf& shelf = shelf_for(size);
  if (shelf.count >= kKept) return ::operator delete(memory);
  ++shelf.count;
  shelf.first = new (memory) Free{shelf.first};
}

}  // namespace mcptoken::loop
