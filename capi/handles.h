// C structs around C++ objects, and the helpers that move values across.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "capi/guard.h"
#include "crypto/secret.h"
#include "mcptoken/bytes.h"

struct mcptoken_bytes {
  std::string data;
};

namespace mcptoken::capi {

inline mcptoken_bytes* new_bytes(std::string data) { return new mcptoken_bytes{std::move(data)}; }

inline std::string_view view(const char* data, size_t size) { return {data ? data : "", data ? size : 0}; }
inline std::string_view view(const char* text) { return text ? std::string_view(text) : std::string_view(); }

// Clears an out-parameter first thing, as the conventions demand.
template <class T>
void clear(T** out) {
  if (out) *out = nullptr;
}

}  // namespace mcptoken::capi
