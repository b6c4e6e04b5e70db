// The one source of random bytes, replaceable by tests that need it to fail.
#pragma once

#include <sys/types.h>

#include <cstddef>

namespace mcptoken::crypto {

// Same contract as getrandom(2) with flags 0: the number of bytes written, or -1 and errno.
using RandomSource = ssize_t (*)(void* out, size_t size);

// For tests only; nullptr restores getrandom(2). Returns the source that was in use. Thread-safe.
RandomSource set_random_source(RandomSource source);

}  // namespace mcptoken::crypto
