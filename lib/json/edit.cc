#include "json/edit.h"

#include <algorithm>

#include "json/invariant.h"
#include "json/writer.h"

namespace mcptoken::json {

void append_pieces(std::vector<std::string_view>& pieces, std::string_view text, Range window,
                   std::span<const Edit> edits) {
  pieces.reserve(pieces.size() + 2 * edits.size() + 1);
  uint32_t at = window.begin;
  auto add = [&pieces](std::string_view piece) {
    if (!piece.empty()) pieces.push_back(piece);
  };
  for (const Edit& edit : edits) {
    const Range& range = edit.range;
    if (range.begin < window.begin || range.end > window.end) continue;
    if (range.size() == 0 && range.begin == window.end && window.end != text.size()) continue;
    MCPT_JSON_REQUIRE(range.begin >= at && range.begin <= range.end);
    add(Range{at, range.begin}.of(text));
    add(edit.bytes);
    at = range.end;
  }
  add(Range{at, window.end}.of(text));
}

std::string apply(std::string_view text, Range window, std::span<const Edit> edits) {
  std::vector<std::string_view> pieces;
  append_pieces(pieces, text, window, edits);
  size_t size = 0;
  for (std::string_view piece : pieces) {
    size += piece.size();
  }
  std::string out;
  out.reserve(size);
  for (std::string_view piece : pieces) {
    out.append(piece);
  }
  return out;
}

void Edits::set(const Node& object, std::string_view key, std::string_view json) {
  MCPT_JSON_REQUIRE(object.type == Type::object && outline_.is_recorded(object));
  if (const Node* member = outline_.find(object, key)) {
    std::erase_if(removals_, [member](const Removal& removal) { return removal.child == member; });
    replace(*member, std::string(json));
    return;
  }
  for (Addition& addition : additions_) {
    if (addition.object != &object || addition.key != key) continue;
    addition.json = json;
    return;
  }
  additions_.push_back({&object, std::string(key), std::string(json)});
}

void Edits::remove(const Node& container, const Node& child) {
  MCPT_JSON_REQUIRE(outline_.is_recorded(container));
  removals_.push_back({&container, &child});
}

// All removals from and additions to one container, made together because they share its commas: a removed child takes
// the comma before it; those at the front, which have none that may go, the one after them.
void Edits::restructure(const Node& container) {
  auto begin_of = [&container](const Node& child) {
    return container.type == Type::object ? child.key.begin - 1 : child.value.begin;
  };
  auto removal = std::lower_bound(removals_.begin(), removals_.end(), &container,
                                  [](const Removal& one, const Node* node) { return one.container < node; });
  constexpr uint32_t kNone = UINT32_MAX;
  uint32_t front = kNone;  // where removed children begin that have no other child before them
  bool empty = true;       // none is left so far
  uint32_t end = container.value.begin + 1;
  for (const Node* child = outline_.first(container); child; child = outline_.after(container, *child)) {
    bool removed = false;
    for (; removal != removals_.end() && removal->container == &container && removal->child == child; ++removal) {
      removed = true;
    }
    if (!removed) {
      if (front != kNone) edits_.emplace_back(Range{front, begin_of(*child)}, std::string());
      front = kNone;
      empty = false;
    } else if (!empty) {
      edits_.emplace_back(Range{end, child->value.end}, std::string());
    } else if (front == kNone) {
      front = begin_of(*child);
    }
    end = child->value.end;
  }
  if (front != kNone) edits_.emplace_back(Range{front, end}, std::string());

  std::string added;
  for (const Addition& addition : additions_) {
    if (addition.object != &container) continue;
    if (!empty) added += ',';
    empty = false;
    append_quoted(added, addition.key);
    added += ':';
    added += addition.json;
  }
  if (!added.empty()) edits_.emplace_back(Range{end, end}, std::move(added));
}

std::span<const Edit> Edits::sorted() {
  std::sort(removals_.begin(), removals_.end(), [](const Removal& a, const Removal& b) {
    return a.container != b.container ? a.container < b.container : a.child < b.child;
  });
  if (removals_.empty() && additions_.empty() && edits_.size() < 2) return edits_;
  std::vector<const Node*> containers;
  containers.reserve(removals_.size() + additions_.size());
  for (const Removal& removal : removals_) {
    containers.push_back(removal.container);
  }
  for (const Addition& addition : additions_) {
    containers.push_back(addition.object);
  }
  std::sort(containers.begin(), containers.end());
  containers.erase(std::unique(containers.begin(), containers.end()), containers.end());
  for (const Node* container : containers) {
    restructure(*container);
  }
  removals_.clear();
  additions_.clear();

  // Outer ranges come before what they contain, and later edits of one range after earlier ones.
  const auto is_before = [](const Edit& a, const Edit& b) {
    return a.range.begin != b.range.begin ? a.range.begin < b.range.begin : a.range.end > b.range.end;
  };
  if (!std::is_sorted(edits_.begin(), edits_.end(), is_before)) std::stable_sort(edits_.begin(), edits_.end(), is_before);
  size_t kept = 0;
  for (Edit& edit : edits_) {
    if (kept > 0 && edit.range.begin < edits_[kept - 1].range.end) {
      const bool same =
          edit.range.begin == edits_[kept - 1].range.begin && edit.range.end == edits_[kept - 1].range.end;
      if (same) edits_[kept - 1].bytes = std::move(edit.bytes);
      continue;
    }
    if (&edits_[kept] != &edit) edits_[kept] = std::move(edit);
    ++kept;
  }
  edits_.erase(edits_.begin() + static_cast<std::ptrdiff_t>(kept), edits_.end());
  return edits_;
}

}  // namespace mcptoken::json
