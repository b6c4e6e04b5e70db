#include "layout.h"

#include <microhttpd.h>

#include <algorithm>

namespace mcpd {
namespace {

const char* end_of(std::string_view text) { return text.data() + text.size(); }

// CR LF, by now two NULs.
bool is_line_end(const char* at) { return at[0] == '\0' && at[1] == '\0'; }

// What lies between a name and its value: the colon, by now a NUL, and optional white space.
bool is_colon(const char* from, const char* to) {
  return from < to && *from == '\0' && std::all_of(from + 1, to, [](char c) { return c == ' ' || c == '\t'; });
}

}  // namespace

bool is_exact(const HeadLayout& layout) {
  if (layout.target != end_of(layout.method) + 1) return false;
  if (layout.version.data() != layout.target + layout.target_size + 1) return false;
  const char* line = end_of(layout.version);
  for (const auto& field : layout.fields) {
    if (!is_line_end(line) || field.name.data() != line + 2) return false;
    if (!is_colon(end_of(field.name), field.value.data())) return false;
    line = end_of(field.value);
  }
  // The empty line. Only its place tells it from NULs that were sent behind the last value.
  return line + 4 == end_of_head(layout) && is_line_end(line) && is_line_end(line + 2);
}

bool layout_is_known() {
  const std::string_view version = MHD_get_version();
  return version.starts_with("0.9.");
}

}  // namespace mcpd
