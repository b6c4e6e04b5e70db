#include "crypto/secret_pool.h"

#include <sodium.h>
#include <sys/mman.h>

#include <mutex>
#include <new>

namespace mcptoken::crypto::pool {
namespace {

constexpr size_t kChunkBytes = 64 * 1024;

struct Slot {
  Slot* next;
};

// Free slots of all chunks. Chunks stay mapped for the life of the process: their number is bounded by the largest
// number of secrets that were alive at once.
struct Pool {
  std::mutex mutex;
  Slot* free = nullptr;
};

// Never destroyed: a Secret with static lifetime may be released after it.
Pool& pool() {
  static Pool& instance = *new Pool;
  return instance;
}

void* map_pages(size_t bytes) {
  void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  madvise(pages, bytes, MADV_DONTDUMP);  // best effort: some sandboxes refuse it
  return pages;
}

Slot* carve(char* chunk, Slot* next) {
  for (size_t at = kChunkBytes; at >= kSlotBytes; at -= kSlotBytes)
    next = new (chunk + at - kSlotBytes) Slot{next};
  return next;
}

}  // namespace

void* take(size_t size) {
  if (size > kSlotBytes) return map_pages(size);
  Pool& all = pool();
  std::lock_guard lock(all.mutex);
  if (all.free == nullptr) all.free = carve(static_cast<char*>(map_pages(kChunkBytes)), nullptr);
  Slot* slot = all.free;
  all.free = slot->next;
  return slot;
}

void give_back(void* data, size_t size) noexcept {
  sodium_memzero(data, size);
  if (size > kSlotBytes) {
    munmap(data, size);
    return;
  }
  Pool& all = pool();
  std::lock_guard lock(all.mutex);
  all.free = new (data) Slot{all.free};
}

}  // namespace mcptoken::crypto::pool
