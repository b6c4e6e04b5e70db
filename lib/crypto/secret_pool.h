// Memory for secrets: small slots in pages that core dumps leave out, so that a secret costs a slot and not a page.
#pragma once

#include <cstddef>

namespace mcptoken::crypto::pool {

inline constexpr size_t kSlotBytes = 128;  // larger secrets get pages of their own

// At least `size` bytes (size > 0); throws std::bad_alloc. Thread-safe.
void* take(size_t size);
// Wipes and releases what take(size) returned. Thread-safe.
void give_back(void* data, size_t size) noexcept;

}  // namespace mcptoken::crypto::pool
