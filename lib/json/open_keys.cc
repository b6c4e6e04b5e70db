#include "json/open_keys.h"

#include <algorithm>

namespace mcptoken::json {

bool OpenKeys::same(const Key& a, const Key& b) {
  return a.print == b.print && a.size == b.size && std::memcmp(a.data, b.data, a.size) == 0;
}

bool OpenKeys::before(const Key& a, const Key& b) {
  if (a.print != b.print) return a.print < b.print;
  if (a.size != b.size) return a.size < b.size;
  const int order = std::memcmp(a.data, b.data, a.size);
  return order != 0 ? order < 0 : a.at < b.at;
}

std::optional<uint32_t> OpenKeys::find_duplicate(uint32_t mark) {
  const auto begin = keys_.begin() + mark;
  std::sort(begin, keys_.end(), before);
  const auto found = std::adjacent_find(begin, keys_.end(), same);
  if (found == keys_.end()) return std::nullopt;
  return std::next(found)->at;  // the later one of the two
}

}  // namespace mcptoken::json
