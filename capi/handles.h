// C structs around C++ objects, and the helpers that move values across.
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>

#include "capi/guard.h"
#include "crypto/secret.h"
#include "mcptoken/base.h"
#include "mcptoken/bytes.h"

struct mcptoken_bytes {
  std::string data;
};

namespace mcptoken::capi {

inline mcptoken_bytes* new_bytes(std::string data) { return new mcptoken_bytes{std::move(data)}; }

// A size that no object has, like a negative number's, is refused before anything is read. Inside guard() only.
inline std::string_view view(const char* data, size_t size) {
  if (size > PTRDIFF_MAX) throw std::bad_alloc();
  return {data ? data : "", data ? size : 0};
}
inline std::string_view view(const char* text) { return text ? std::string_view(text) : std::string_view(); }

// Before the first use of what a caller lists.
inline Result<void> check_headers(const mcptoken_header* headers, size_t count) {
  MCPT_CHECK(require(headers || count == 0, "headers"));
  for (size_t i = 0; i < count; ++i)
    MCPT_CHECK(require(headers[i].name && headers[i].value, "the name and value of each header"));
  return {};
}

// Clears an out-parameter first thing, as the conventions demand.
template <class T>
void clear(T** out) {
  if (out) *out = nullptr;
}

}  // namespace mcptoken::capi
