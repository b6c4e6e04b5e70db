// The settings file: one flat YAML mapping of keys to scalars or lists of scalars.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "outcome.h"

namespace mcpd {

struct YamlEntry {
  std::string key;
  std::string value;  // a list becomes "a,b"
  size_t line = 0;    // from 1
};

// Refuses duplicate keys, nesting, anchors, tags and a second document, with the line.
Outcome<std::vector<YamlEntry>> read_yaml_file(const std::string& path);
// A double-quoted scalar.
std::string quote_yaml(std::string_view text);

}  // namespace mcpd
