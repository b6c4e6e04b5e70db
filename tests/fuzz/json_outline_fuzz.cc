// The strict reader: what it accepts must hold its own invariants, whatever the bytes.
#include <cstdint>
#include <cstdlib>

#include "json/edit.h"
#include "json/outline.h"
#include "json/value.h"

using namespace mcptoken;

static void require(bool holds) {
  if (!holds) std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto outline = json::Outline::read(text, 3);
  const auto tree = json::parse(text);
  require(json::validate(text).has_value() == tree.has_value());
  json::ReadLimits wide;  // what is written may be larger than what was read
  wide.bytes = wide.members = SIZE_MAX;
  if (tree) require(json::parse(json::to_pretty_text(*tree), wide).value() == *tree);
  json::ReadLimits escapes;
  escapes.escaped_keys = true;
  const auto any = json::Outline::read(text, 3, escapes);
  require(any.has_value() == tree.has_value());
  if (any && tree->is(json::Type::object)) {
    size_t members = 0;
    for (const json::Node* node = any->first(any->root()); node != nullptr; node = any->after(any->root(), *node)) {
      require(any->key(*node) == tree->members()[members++].first);
      require(any->find(any->key(*node)) == node);
    }
    require(members == tree->members().size());
  }
  if (!outline) return 0;
  require(tree.has_value());
  json::Edits edits(*outline);
  const json::Node& root = outline->root();
  for (const json::Node* node = outline->first(root); node != nullptr; node = outline->after(root, *node)) {
    require(json::validate(outline->raw(*node)).value() == node->type);
    std::string_view plain;
    if (outline->plain_string(*node, plain)) require(outline->string(*node) == plain);
    if (node->value.begin % 2 != 0) edits.remove(root, *node);
  }
  if (root.type == json::Type::object) edits.set(root, "added", "[]");
  require(json::validate(json::apply(text, root.value, edits.sorted()), wide).value() == root.type);
  return 0;
}
