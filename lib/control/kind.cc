#include "control/kind.h"

#include <algorithm>
#include <array>

namespace mcptoken::control {
namespace {

using json::Value;

constexpr std::array<std::string_view, 11> kTypeNames = {"string", "text",   "integer", "boolean", "enum",     "list",
                                                         "map",    "object", "time",    "secret",  "reference"};

Value text_list(std::span<const std::string_view> words) {
  std::vector<Value> items;
  for (auto word : words)
    items.push_back(Value::string(std::string(word)));
  return Value::array(std::move(items));
}

Value text_of(std::string_view text) { return Value::string(std::string(text)); }

// modelName -> model-name
std::string kebab(std::string_view name) {
  std::string out;
  for (char c : name) {
    if (c >= 'A' && c <= 'Z') {
      out += '-';
      out += static_cast<char>(c - 'A' + 'a');
    } else {
      out += c;
    }
  }
  return out;
}

Value fields_json(std::span<const Field> fields);

Value field_json(const Field& field) {
  Value out = Value::object();
  out.set("name", text_of(field.name));
  out.set("type", text_of(kTypeNames[static_cast<size_t>(field.type)]));
  if (field.item)
    out.set("item", text_of(kTypeNames[static_cast<size_t>(field.item->type)]));
  else if (field.type == Type::list)
    out.set("item", text_of("object"));
  if (!field.fields.empty()) out.set("fields", fields_json(field.fields));
  out.set("required", Value::boolean(field.shape == Shape::required));
  if (!field.default_json.empty()) {
    if (auto value = json::parse(field.default_json)) out.set("default", *std::move(value));
  }
  const bool of_items = field.item && field.item->type == Type::enumeration;
  const auto words = of_items ? field.item->values : field.values;
  if (field.type != Type::reference && !words.empty()) out.set("enum", text_list(words));
  const auto reference = field.item && !field.item->reference.empty() ? field.item->reference : field.reference;
  if (!reference.empty()) out.set("reference", text_of(reference));
  out.set("immutable", Value::boolean(field.immutable));
  out.set("readOnly", Value::boolean(field.read_only));
  out.set("writeOnly", Value::boolean(field.write_only));
  out.set("help", text_of(field.help));
  if (field.flag != "-" && !field.read_only)
    out.set("flag", text_of(field.flag.empty() ? kebab(field.name) : std::string(field.flag)));
  out.set("repeatable", Value::boolean(field.repeatable));
  return out;
}

Value fields_json(std::span<const Field> fields) {
  std::vector<Value> items;
  for (const auto& field : fields)
    items.push_back(field_json(field));
  return Value::array(std::move(items));
}

// Every object carries these; nobody writes them.
constexpr Field kMeta[] = {
    {.name = "id", .type = Type::string, .help = "Given at creation, never used again.", .read_only = true},
    {.name = "version", .type = Type::integer, .help = "Grows with each change.", .read_only = true},
    {.name = "createdAt", .type = Type::time, .read_only = true},
    {.name = "updatedAt", .type = Type::time, .read_only = true},
};

Value columns_json(std::span<const Column> columns) {
  std::vector<Value> items;
  for (const auto& column : columns) {
    Value one = Value::object();
    one.set("title", text_of(column.title));
    one.set("field", text_of(column.field));
    one.set("format", text_of(column.format));
    items.push_back(std::move(one));
  }
  return Value::array(std::move(items));
}

}  // namespace

const Kind* find_kind(std::string_view word) {
  for (const auto& kind : kinds()) {
    if (word == kind.name || word == kind.plural) return &kind;
    if (std::find(kind.aliases.begin(), kind.aliases.end(), word) != kind.aliases.end()) return &kind;
  }
  return nullptr;
}

Value kind_table_json() {
  std::vector<Value> items;
  for (const auto& kind : kinds()) {
    Value one = Value::object();
    one.set("name", text_of(kind.name));
    one.set("plural", text_of(kind.plural));
    one.set("aliases", text_list(kind.aliases));
    one.set("scope", text_of(kind.scope == KindScope::global ? "global" : "project"));
    one.set("virtual", Value::boolean(kind.is_virtual));
    one.set("nameField", text_of(kind.name_field));
    one.set("verbs", text_list(kind.verbs));
    Value fields = fields_json(kind.fields);
    for (const auto& meta : kMeta)
      fields.items().push_back(field_json(meta));
    one.set("fields", std::move(fields));
    one.set("columns", columns_json(kind.columns));
    one.set("applyOrder", Value::integer(kind.apply_order));
    one.set("help", text_of(kind.help));
    items.push_back(std::move(one));
  }
  Value table = Value::object();
  table.set("kinds", Value::array(std::move(items)));
  return table;
}

}  // namespace mcptoken::control
