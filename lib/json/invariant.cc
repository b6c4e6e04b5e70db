#include "json/invariant.h"

#include <cstdio>
#include <cstdlib>

namespace mcptoken::json {

void broken_invariant(const char* what, const char* file, int line) noexcept {
  std::fprintf(stderr, "%s:%d: broken invariant: %s\n", file, line, what);
  std::abort();
}

}  // namespace mcptoken::json
