// YAML in and out. Reading is strict and becomes a JSON document; writing is a small emitter whose output reads back as
// the same document under YAML 1.1 and 1.2.
#pragma once
#include <string>
#include <string_view>

#include "json.h"

namespace mcpctl {

// One document. Refused with line and column: a second document, duplicate keys, anchors, aliases, tags, keys that are
// not text, non-UTF-8, nesting deeper than 64. An empty text is null. `name` names the text in failures.
Result<JsonDocument> read_yaml(std::string_view text, const std::string& name);

// Block style, two spaces a level, ending in a line break. Unsafe characters come out as escapes.
std::string write_yaml(JsonValue value);

}  // namespace mcpctl
