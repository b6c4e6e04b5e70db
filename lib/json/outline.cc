#include "json/outline.h"

#include <algorithm>
#include <cstring>

#include "json/scan.h"

namespace mcptoken::json {
namespace {

// Nodes to make room for at once: more than a usual call has, less than a page.
constexpr size_t kExpectedNodes = 40;
constexpr size_t kBytesPerNode = 6;  // a short text cannot hold that many

std::string_view inside_of(std::string_view raw) { return raw.substr(1, raw.size() - 2); }

EscapedKeys::const_iterator at_or_after(const EscapedKeys& keys, uint32_t node) {
  return std::lower_bound(keys.begin(), keys.end(), node, [](const EscapedKey& one, uint32_t index) { return one.node < index; });
}

}  // namespace

Result<Outline> Outline::read(std::string_view text, size_t record_depth, const ReadLimits& limits) {
  Outline outline;
  outline.text_ = text;
  outline.record_depth_ = std::min(record_depth, limits::kJsonDepth);
  outline.nodes_.reserve(std::min(kExpectedNodes, 1 + text.size() / kBytesPerNode));
  std::unique_ptr<EscapedKeys> escaped;
  MCPT_CHECK(scan(text, static_cast<int>(outline.record_depth_), limits, outline.nodes_, &escaped));
  if (escaped) [[unlikely]] outline.escaped_ = std::move(escaped);
  return outline;
}

const Node* Outline::first(const Node& container) const {
  const size_t index = static_cast<size_t>(&container - nodes_.data());
  return container.next > index + 1 ? &nodes_[index + 1] : nullptr;
}

const Node* Outline::after(const Node& container, const Node& child) const {
  return child.next < container.next ? &nodes_[child.next] : nullptr;
}

const Node* Outline::find(const Node& object, std::string_view name) const {
  if (object.type != Type::object) return nullptr;
  if (escaped_) [[unlikely]] return find_any(object, name);
  const Node* const nodes = nodes_.data();
  for (size_t at = static_cast<size_t>(&object - nodes) + 1; at < object.next; at = nodes[at].next) {
    const Range key = nodes[at].key;
    if (key.size() == name.size() && std::memcmp(text_.data() + key.begin, name.data(), name.size()) == 0)
      return &nodes[at];
  }
  return nullptr;
}

const Node* Outline::find_any(const Node& object, std::string_view name) const {
  for (const Node* member = first(object); member; member = after(object, *member)) {
    if (any_key(*member) == name) return member;
  }
  return nullptr;
}

std::string_view Outline::any_key(const Node& node) const {
  const auto index = static_cast<uint32_t>(&node - nodes_.data());
  const auto one = at_or_after(*escaped_, index);
  return one != escaped_->end() && one->node == index ? one->name : spelling(node);
}

std::string Outline::string(const Node& node) const {
  if (node.type != Type::string) return {};
  const std::string_view inside = inside_of(raw(node));
  return node.escaped ? unescape(inside) : std::string(inside);
}

bool Outline::plain_string(const Node& node, std::string_view& out) const {
  if (node.type != Type::string || node.escaped) return false;
  out = inside_of(raw(node));
  return true;
}

Result<Type> validate(std::string_view text, const ReadLimits& limits) {
  std::vector<Node> unused;
  return scan(text, kRecordNothing, limits, unused, nullptr);
}

}  // namespace mcptoken::json
