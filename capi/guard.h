// The one place where exceptions stop. Every extern "C" definition is a single call to guard(), or to guard_value() when it
// returns something else than a status, or touches nothing that can throw; tests/style/guard holds them to it.
#pragma once

#include <new>
#include <utility>

#include "base/result.h"
#include "mcptoken/error.h"

struct mcptoken_error {
  mcptoken::Error error;
};

namespace mcptoken::capi {

// Never fails: without memory for the record, a static one is handed out (its release does nothing).
void store_error(mcptoken_error** error_out, Error&& error) noexcept;
void store_no_memory(mcptoken_error** error_out) noexcept;

// body: () -> Result<void>
template <class Body>
mcptoken_status guard(mcptoken_error** error_out, Body&& body) noexcept {
  try {
    Result<void> result = std::forward<Body>(body)();
    if (result) return MCPTOKEN_OK;
    auto status = static_cast<mcptoken_status>(result.error().status);
    store_error(error_out, std::move(result).error());
    return status;
  } catch (const std::bad_alloc&) {
    store_no_memory(error_out);
    return MCPTOKEN_NO_MEMORY;
  } catch (...) {
    store_error(error_out, Error(Status::internal, "internal error"));
    return MCPTOKEN_INTERNAL;
  }
}

// body: () -> T. A failure inside yields the fallback.
template <class T, class Body>
T guard_value(T fallback, Body&& body) noexcept {
  try {
    return std::forward<Body>(body)();
  } catch (...) {
    return fallback;
  }
}

// Argument checks: INVALID with the argument's name.
[[gnu::cold, gnu::noinline]] inline Result<void> missing(const char* name) {
  return fail(Status::invalid, std::string(name) + " is required");
}
inline Result<void> require(bool present, const char* name) { return present ? Result<void>() : missing(name); }

}  // namespace mcptoken::capi
