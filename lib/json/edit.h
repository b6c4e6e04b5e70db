// The primitive of the request path: a text is never rebuilt, only edited at byte ranges.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "json/outline.h"

namespace mcptoken::json {

// Replaces `range` by `bytes`; an empty range inserts, empty bytes delete.
struct Edit {
  Edit(Range range_in, std::string bytes_in) : range(range_in), bytes(std::move(bytes_in)) {}
  Range range;
  std::string bytes;
};

// Ranges are absolute in `text`, ascending and disjoint; `window` selects the part of the text that is produced.
// The pieces borrow from both arguments and are ready for writev.
void append_pieces(std::vector<std::string_view>& pieces, std::string_view text, Range window, std::span<const Edit> edits);
std::string apply(std::string_view text, Range window, std::span<const Edit> edits);

// Edits that change members of a recorded object without touching the rest of it. `append` collects them unsorted; call
// sort() before applying.
class Edits {
 public:
  Edits(const Outline& outline) : outline_(outline) {}
  void replace(const Node& node, std::string json) { edits_.emplace_back(node.value, std::move(json)); }
  // Sets a member's value, adding the member at the end of the object when it is missing. Several additions to one object
  // are merged in order.
  void set(const Node& object, std::string_view key, std::string_view json);
  void remove(const Node& object, const Node& member);  // with one of its commas
  std::span<const Edit> sorted();

 private:
  const Outline& outline_;
  std::vector<Edit> edits_;
};

}  // namespace mcptoken::json
