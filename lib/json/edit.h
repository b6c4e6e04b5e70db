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

// Ranges are absolute in `text`, ascending and disjoint; `window` selects the part of the text that is produced. Edits
// that are not inside the window are passed over, so one list serves several windows; what is inserted exactly at its
// end is outside (it belongs to the container around it) unless the text ends there. The pieces borrow from both
// arguments and are ready for writev.
void append_pieces(std::vector<std::string_view>& pieces, std::string_view text, Range window,
                   std::span<const Edit> edits);
std::string apply(std::string_view text, Range window, std::span<const Edit> edits);

// Changes to values, members and elements of an outline without touching the rest of the text. They are collected in
// any order; sorted() makes the edits. Later calls win over earlier ones about the same member, and whatever is done
// inside a value that is replaced or removed is void. Nodes belong to `outline`, which must outlive this; containers
// whose members change must be recorded with them (Outline::is_recorded), anything else stops the process.
class Edits {
 public:
  explicit Edits(const Outline& outline) : outline_(outline) {}
  void replace(const Node& node, std::string json) { edits_.emplace_back(node.value, std::move(json)); }
  // Sets a member's value, adding the member at the end of the object when it is missing.
  void set(const Node& object, std::string_view key, std::string_view json);
  // With one of its commas. The container may be an array as well.
  void remove(const Node& container, const Node& child);
  // Final: no other call follows.
  std::span<const Edit> sorted();

 private:
  struct Removal {
    const Node* container;
    const Node* child;
  };
  struct Addition {
    const Node* object;
    std::string key;
    std::string json;
  };
  void restructure(const Node& container);

  const Outline& outline_;
  std::vector<Edit> edits_;
  std::vector<Removal> removals_;
  std::vector<Addition> additions_;
};

}  // namespace mcptoken::json
