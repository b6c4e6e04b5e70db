// Whether the head of a request lay in the input exactly as RFC 9112 delimits it.
//
// libmicrohttpd before 1.0 forgives bare LF, NUL, folded lines and lines without a name, and no handler can see that it
// did. But it parses in place: it replaces delimiters by NUL and hands out pointers into its input buffer. Where the
// parts of the head touch each other with just the delimiters that belong between them, nothing was forgiven.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "gate.h"

namespace mcpd {

// All pointers are libmicrohttpd's own.
struct HeadLayout {
  std::string_view method;
  const char* target = nullptr;
  size_t target_size = 0;  // of the target as sent
  std::string_view version;
  std::span<const Field> fields;
  size_t head_size = 0;  // from the method to the body, as libmicrohttpd has counted it
};

bool is_exact(const HeadLayout& layout);
// Where the body begins.
inline const char* end_of_head(const HeadLayout& layout) { return layout.method.data() + layout.head_size; }
// Whether the linked libmicrohttpd parses in place; newer ones judge these things themselves.
bool layout_is_known();

}  // namespace mcpd
