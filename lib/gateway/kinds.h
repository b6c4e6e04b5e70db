// What servers offer, as a table: the four kinds of list entries. All that differs between them is here.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace mcptoken::gateway {

enum class Kind : uint8_t { tools, prompts, resources, templates };

struct KindRow {
  Kind kind;
  std::string_view method;      // that lists them
  std::string_view array;       // member of the result that holds them
  std::string_view key;         // member of an entry that clients ask for it by
  std::string_view capability;  // that a server must have declared to be asked; "" for none
  std::string_view changed;     // notification: the list is another one
  bool by_uri;                  // the key is a URI, or a template of URIs; otherwise a name
};

inline constexpr std::array<KindRow, 4> kKinds = {{
    {Kind::tools, "tools/list", "tools", "name", "", "notifications/tools/list_changed", false},
    {Kind::prompts, "prompts/list", "prompts", "name", "prompts", "notifications/prompts/list_changed", false},
    {Kind::resources, "resources/list", "resources", "uri", "resources", "notifications/resources/list_changed", true},
    {Kind::templates, "resources/templates/list", "resourceTemplates", "uriTemplate", "resources",
     "notifications/resources/list_changed", true},
}};

constexpr const KindRow& row_of(Kind kind) { return kKinds[static_cast<size_t>(kind)]; }

// The kind that a method lists, or nullptr.
constexpr const KindRow* find_list(std::string_view method) {
  for (auto& row : kKinds) {
    if (row.method == method) return &row;
  }
  return nullptr;
}

}  // namespace mcptoken::gateway
