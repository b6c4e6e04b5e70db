// YAML in and out. Reading is strict and becomes a JSON document; writing is a small emitter whose output reads back as
// the same document under YAML 1.1 and 1.2.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "json.h"

namespace mcpctl {

// A place in a text, from 1.
struct Mark {
  size_t line = 1, column = 1;
};

struct YamlDocument {
  JsonDocument json;
  // Where each member's key and each item begins, by path: "env[2].value"; "" is the document.
  std::map<std::string, Mark> marks;
};

struct YamlStream {
  std::vector<YamlDocument> documents;
  std::vector<Failure> problems;  // of each document that is not among them, the first mistake
};

// All documents of a text. Refused with line and column: duplicate keys, anchors, aliases, tags, keys that are not
// text, non-UTF-8, nesting deeper than 64. JSON is taken, too. `name` names the text in failures.
YamlStream read_yaml_stream(std::string_view text, const std::string& name);
// The same where one document is expected; an empty text is null.
Result<JsonDocument> read_yaml(std::string_view text, const std::string& name);

// Block style, two spaces a level, ending in a line break. Unsafe characters come out as escapes.
std::string write_yaml(JsonValue value);

}  // namespace mcpctl
