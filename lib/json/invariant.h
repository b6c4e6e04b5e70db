// Broken contracts stop the process in every build type: this folder judges what may pass, and must not go on wrong.
#pragma once

namespace mcptoken::json {

[[noreturn]] void broken_invariant(const char* what, const char* file, int line) noexcept;

}  // namespace mcptoken::json

#define MCPT_JSON_REQUIRE(condition) \
  ((condition) ? static_cast<void>(0) : ::mcptoken::json::broken_invariant(#condition, __FILE__, __LINE__))
