#include "service/gate_json.h"

namespace mcptoken::service {
namespace {

std::vector<std::string> texts(const json::Value* list) {
  std::vector<std::string> out;
  if (!list) return out;
  for (auto& item : list->items()) {
    if (auto* text = item.as_string()) out.push_back(*text);
  }
  return out;
}

json::Value array(const std::vector<std::string>& texts) {
  std::vector<json::Value> items;
  for (auto& text : texts)
    items.push_back(json::Value::string(text));
  return json::Value::array(std::move(items));
}

}  // namespace

gateway::GateState read_gate(const json::Value& state) {
  gateway::GateState out;
  if (const json::Value* until = state.find("untilMs")) out.until_ms = until->as_int().value_or(0);
  out.tags = texts(state.find("tags"));
  out.given = texts(state.find("given"));
  return out;
}

json::Value write_gate(const gateway::GateState& state) {
  json::Value out = json::Value::object();
  out.set("untilMs", json::Value::integer(state.until_ms));
  out.set("tags", array(state.tags));
  out.set("given", array(state.given));
  return out;
}

}  // namespace mcptoken::service
