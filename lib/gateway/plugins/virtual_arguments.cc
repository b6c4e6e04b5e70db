#include "gateway/plugins/virtual_arguments.h"

#include "mcp/message.h"

namespace mcptoken::gateway {
namespace {

constexpr std::string_view kProperties =
    R"("_resultId":{"type":"string","description":"Of an earlier result of this tool: shows a part of it instead of calling."},)"
    R"("_page":{"type":["integer","string"],"description":"With _resultId: the page to show, or \"all\"."},)"
    R"("_section":{"type":"string","description":"With _resultId: the section to show."})";
constexpr std::string_view kArguments =
    R"({"name":"_resultId","description":"Of an earlier result of this prompt: gets a part of it instead."},)"
    R"({"name":"_page","description":"With _resultId: the page to get, or \"all\"."},)"
    R"({"name":"_section","description":"With _resultId: the section to get."})";
constexpr std::string_view kNames[] = {"_resultId", "_page", "_section"};

}  // namespace

VirtualPlace find_virtual_place(std::string_view tool) {
  auto outline = json::Outline::read(tool, 3, mcp::server_limits(tool.size()));
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
  place.is_missing = properties == nullptr;
  const json::Node& object = properties ? *properties : *schema;
  place.at = object.value.begin + 1;
  place.has_others = outline->first(object) != nullptr;
  return place;
}

VirtualPlace find_prompt_place(std::string_view prompt) {
  auto outline = json::Outline::read(prompt, 3, mcp::server_limits(prompt.size()));
  if (!outline) return {};
  VirtualPlace place;
  place.of_prompt = true;
  const json::Node* list = outline->find("arguments");
  place.is_missing = list == nullptr;
  if (!list) {
    place.at = outline->root().value.begin + 1;  // in front of its name, which it has
    return place;
  }
  if (list->type != json::Type::array) return {};
  for (auto* one = outline->first(*list); one; one = outline->after(*list, *one)) {
    const json::Node* name = outline->find(*one, "name");
    for (auto ours : kNames)
      if (name && name->type == json::Type::string && outline->string(*name) == ours) return {};
    place.has_others = true;
  }
  place.at = list->value.end - 1;
  return place;
}

namespace {

std::string prompt_arguments(const VirtualPlace& place) {
  std::string out;
  if (place.is_missing) return out.append("\"arguments\":[").append(kArguments).append("],");
  if (place.has_others) out.push_back(',');
  return out.append(kArguments);
}

}  // namespace

std::string virtual_arguments(const VirtualPlace& place) {
  if (place.of_prompt) return prompt_arguments(place);
  std::string out;
  if (place.is_missing) out.append("\"properties\":{");
  out.append(kProperties);
  if (place.is_missing) out.push_back('}');
  if (place.has_others) out.push_back(',');
  return out;
}

}  // namespace mcptoken::gateway
