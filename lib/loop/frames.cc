#include "loop/frames.h"

#include <array>
#include <cstdint>
#include <new>

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

struct Shelves {
  ~Shelves() {
    for (Shelf& shelf : all) {
      while (Free* one = shelf.first) {
        shelf.first = one->next;
        ::operator delete(one);
      }
      shelf.count = kKept;  // frames that go later, with other objects of the thread, are not kept
    }
  }
  std::array<Shelf, kLargest / kStep + 1> all;
};

// The pointer alone is in the memory that is reached without a call; there is little of that for libraries loaded late.
thread_local Shelves* here [[gnu::tls_model("initial-exec")]] = nullptr;

[[gnu::noinline]] Shelves& first_use() {
  thread_local Shelves mine;
  here = &mine;
  return mine;
}

Shelf& shelf_for(size_t size) {
  Shelves& shelves = here ? *here : first_use();
  return shelves.all[(size + kStep - 1) / kStep];
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
