// Start here. lib/json is the only place that includes RapidJSON, and everything from outside passes through it.
//
// Outline is the reader of the request path: ONE strict pass over the whole text, which yields the byte ranges of the
// members down to a given depth. No tree, no copy; what was judged is what is forwarded (ranges of the same bytes).
//
// Invariants, all enforced in that one pass (reference: RFC 8259, and stricter where it leaves room):
//  1. The text is one JSON value and nothing follows but white space: the reader ends at the last byte. No BOM.
//  2. Valid UTF-8, no raw control bytes, no lone surrogates (raw or escaped).
//  3. Depth, number length, exponent digits, key length (unescaped) and member count are bounded (base/limits.h);
//     constant stack, and time linear in the text but for a logarithm of the member count.
//  4. No object anywhere has two equal keys (compared after unescaping).
//  5. Keys at recorded depths are spelt without escapes, and hold no NUL. Where a reader lets escapes be (ReadLimits), names
//     are what the spelling stands for wherever one is asked for or compared: what is hidden from find() does not exist.
// A lenient reading (ReadLimits) keeps 1 to 4 for what is recorded, and takes below it whatever is JSON.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/result.h"

namespace mcptoken::json {

enum class Type : uint8_t { null, boolean, number, string, array, object };

// Half-open byte range in the text that was read.
struct Range {
  uint32_t begin = 0;
  uint32_t end = 0;
  uint32_t size() const { return end - begin; }
  std::string_view of(std::string_view text) const { return text.substr(begin, end - begin); }
};

struct ReadLimits {
  ReadLimits() = default;
  size_t bytes = limits::kBodyBytes;      // of the whole text; 4 GiB at most
  size_t depth = limits::kJsonDepth;      // containers inside one another; more than kJsonDepth is for lenient ones
  size_t members = limits::kJsonMembers;  // of one object
  // Recorded keys may be spelt with escapes. Not for what a gateway's client says: other readers on the way may not see in
  // such a spelling what we do.
  bool escaped_keys = false;
  // For what a server sends and a client gets as it is, of which only the recorded depths are understood here: numbers
  // may be of any length, an escaped surrogate may lack its partner (string() and key() show U+FFFD for it), and below what
  // is recorded keys may be equal, and `depth` up to kLenientDepth. Goes with `escaped_keys`.
  bool lenient = false;
};
inline constexpr size_t kLenientDepth = 1'000;

// One value. `key` is the member's name without quotes (empty range for array elements and the root); `value` is the
// raw JSON, quotes and brackets included. `next` is the index of the node after this one's recorded descendants.
struct Node {
  Range key;
  Range value;
  Type type = Type::null;
  bool escaped = false;  // a string that is spelt with escapes
  uint16_t depth = 0;    // 0: the root
  uint32_t next = 0;
};

// The name of a recorded member that is spelt with escapes.
struct EscapedKey {
  EscapedKey(uint32_t node_in, std::string name_in) : node(node_in), name(std::move(name_in)) {}
  uint32_t node;  // index of the member
  std::string name;
};
using EscapedKeys = std::vector<EscapedKey>;  // in document order

// Borrows the text: valid as long as the text is neither changed nor freed.
class Outline {
 public:
  // Records nodes of depth <= record_depth (root 0, its members 1, …). Errors: Status::invalid with a message that
  // names the rule and the byte offset, Status::too_large (with the same) beyond one of the limits.
  static Result<Outline> read(std::string_view text, size_t record_depth, const ReadLimits& limits = {});

  const Node& root() const { return nodes_[0]; }
  // The member of that name, or nullptr (also when `object` is not an object or lies at the recorded depth's edge).
  const Node* find(const Node& object, std::string_view key) const;
  const Node* find(std::string_view key) const { return find(root(), key); }
  // Whether the members or elements of a container are recorded too: the calls below find nothing otherwise.
  bool is_recorded(const Node& container) const { return container.depth < record_depth_; }
  // Iteration over direct children: for (auto* n = first(p); n; n = after(p, *n)).
  const Node* first(const Node& container) const;
  const Node* after(const Node& container, const Node& child) const;

  std::string_view text() const { return text_; }
  std::string_view raw(const Node& node) const { return node.value.of(text_); }
  // The member's name. Of a node of this outline.
  std::string_view key(const Node& node) const { return escaped_ ? any_key(node) : spelling(node); }
  // The name as it stands between its quotes: for writing it down again.
  std::string_view spelling(const Node& node) const { return node.key.of(text_); }
  // The unescaped string of a string node (empty for other types).
  std::string string(const Node& node) const;
  // Borrowed when the string holds no escape; nothing otherwise. For comparisons that must not allocate.
  bool plain_string(const Node& node, std::string_view& out) const;

 private:
  std::string_view any_key(const Node& node) const;
  const Node* find_any(const Node& object, std::string_view key) const;

  std::string_view text_;
  size_t record_depth_ = 0;
  std::vector<Node> nodes_;
  std::shared_ptr<const EscapedKeys> escaped_;  // none for nearly every text
};

// Validates by the same rules without recording anything but the root's type.
Result<Type> validate(std::string_view text, const ReadLimits& limits = {});

}  // namespace mcptoken::json
