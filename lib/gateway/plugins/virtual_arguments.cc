#include "gateway/plugins/virtual_arguments.h"

#include "json/outline.h"

namespace mcptoken::gateway {
namespace {

constexpr std::string_view kProperties =
    R"("_resultId":{"type":"string","description":"Of an earlier result of this tool: shows a part of it instead of calling."},)"
    R"("_page":{"type":["integer","string"],"description":"With _resultId: the page to show, or \"all\"."},)"
    R"("_section":{"type":"string","description":"With _resultId: the section to show."})";
constexpr std::string_view kNames[] = {"_resultId", "_page", "_section"};

}  // namespace

VirtualPlace find_virtual_place(std::string_view tool) {
  auto outline = json::Outline::read(tool, 3, {});
  if (!outline) return {};
  const json::Node* schema = outline->find("inputSchema");
  if (!schema || schema->type != json::Type::object) return {};
  const json::Node* type = outline->find(*schema, "type");
  if (!type || outline->raw(*type) != "\"object\"") return {};
  VirtualPlace place;
  const json::Node* properties = outline->find(*schema, "properties");
  if (properties && properties->type != json::Type::object) return {};
  for (auto name : kNames) {
    if (properties && outline->find(*properties, name)) return {};  // it has a meaning of its own for them
  }
  place.needs_properties = properties == nullptr;
  const json::Node& object = properties ? *properties : *schema;
  place.at = object.value.begin + 1;
  place.before_others = outline->first(object) != nullptr;
  return place;
}

std::string virtual_arguments(const VirtualPlace& place) {
  std::string out;
  if (place.needs_properties) out.append("\"properties\":{");
  out.append(kProperties);
  if (place.needs_properties) out.push_back('}');
  if (place.before_others) out.push_back(',');
  return out;
}

}  // namespace mcptoken::gateway
