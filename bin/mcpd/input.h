// What is known of libmicrohttpd's memory for a connection, from what it has read: it has one pool for the input, for a record
// of each field, cookie and query parameter, and for the head of the answer. Its input buffer begins the pool, and each
// request begins the buffer.
#pragma once

#include <algorithm>
#include <cstddef>

#include "chunks.h"

namespace mcpd {

inline constexpr size_t kPoolBytes = 16 * 1024;  // zeroed for every request
inline constexpr size_t kRecordBytes = 64;

struct Input {
  const char* begin = nullptr;  // of the pool; NULL: nothing has been read
  const char* limit = nullptr;  // of the buffer, when it was read to last
  size_t waiting = 0;           // bytes in the buffer that no request has claimed
  size_t records = 0;           // bytes in the pool beside the buffer
  bool is_heard = false;        // something of the next request is there
  bool ended = false;           // the client has closed, or the connection is broken
  Chunks chunks;

  // What libmicrohttpd has, at least, for the head of the answer.
  size_t room() const {
    const size_t buffer = std::max(kPoolBytes / 2, static_cast<size_t>(limit - begin));
    const size_t used = buffer + records + kTrailerFields * kRecordBytes;
    return used < kPoolBytes ? kPoolBytes - used : 0;
  }
};

}  // namespace mcpd
