#include "gateway/item.h"

#include <cstring>

#include "gateway/entry_rules.h"
#include "gateway/unseen.h"
#include "json/value.h"
#include "mcp/message.h"

namespace mcptoken::gateway {
namespace {

using json::Node;
using json::Outline;
using json::Type;

constexpr std::string_view kMark = "\"x-mcp-header\"";
// What a tool does is told by these; the rest may change with each answer.
constexpr std::string_view kDefinition[] = {"name", "description", "inputSchema", "outputSchema", "annotations"};

// Anything but its own members may be odd, for it is passed on and not understood. Deeper than other JSON it is not.
json::ReadLimits item_limits(std::string_view raw) {
  auto limits = mcp::server_limits(raw.size());
  limits.depth = limits::kJsonDepth;
  return limits;
}

bool contains(std::string_view text, std::string_view word) {
  return memmem(text.data(), text.size(), word.data(), word.size()) != nullptr;
}

crypto::Digest print_of(const Outline& tool) {
  std::string text;
  for (std::string_view member : kDefinition) {
    const Node* node = tool.find(member);
    const std::string_view raw = node ? tool.raw(*node) : std::string_view();
    text.append(std::to_string(raw.size())).append(":").append(raw);
  }
  return crypto::sha256(text);
}

// Of `_meta`: {"ui":{"resourceUri":…}}, and "ui/resourceUri" as the first drafts of the extension had it.
void find_uris(const Outline& entry, std::vector<UriPlace>& out) {
  const Node* meta = entry.find("_meta");
  if (!meta || !contains(entry.raw(*meta), "esourceUri")) return;
  auto outline = Outline::read(entry.raw(*meta), 2, item_limits(entry.raw(*meta)));
  if (!outline) return;
  const Node* ui = outline->find("ui");
  for (const Node* uri : {ui ? outline->find(*ui, "resourceUri") : nullptr, outline->find("ui/resourceUri")}) {
    if (!uri || uri->type != Type::string) continue;
    const json::Range range{meta->value.begin + uri->value.begin, meta->value.begin + uri->value.end};
    out.push_back({range, outline->string(*uri)});
  }
}

void find_headers(const Outline& tool, Item& item) {
  const Node* schema = tool.find("inputSchema");
  if (!schema || !contains(tool.raw(*schema), kMark)) return;
  auto value = json::parse(tool.raw(*schema));
  auto headers = value ? mcp::ParamHeaders::read(*value) : Result<mcp::ParamHeaders>(fail(std::move(value).error()));
  if (!headers) item.bad_headers = headers.error().message;
  else if (!headers->empty()) item.headers = std::make_shared<const mcp::ParamHeaders>(*std::move(headers));
}

// A tool that runs as a task only (2025-11-25) is out of reach: tasks are not offered here.
bool needs_task(const Outline& tool) {
  const Node* execution = tool.find("execution");
  if (!execution || execution->type != Type::object) return false;
  auto outline = Outline::read(tool.raw(*execution), 1, item_limits(tool.raw(*execution)));
  const Node* support = outline ? outline->find("taskSupport") : nullptr;
  return support && outline->raw(*support) == "\"required\"";
}

// Up to 2025-11-25 an output schema is that of an object, and a client may refuse the whole list for another one.
bool has_legacy_output(const Outline& tool) {
  const Node* schema = tool.find("outputSchema");
  if (!schema) return true;
  auto outline = Outline::read(tool.raw(*schema), 1, item_limits(tool.raw(*schema)));
  const Node* type = outline ? outline->find("type") : nullptr;
  return type && type->type == Type::string && outline->string(*type) == "object";
}

// Up to 2025-11-25 a property's schema is an object, and a client may refuse the whole list for true or false, which mean the
// same as these. Whether there was one.
bool spell_properties(const Outline& tool, const Node* schema, json::Edits& edits) {
  const auto limits = item_limits(tool.text());
  auto outline = schema ? Outline::read(tool.raw(*schema), 1, limits) : Result<Outline>(fail(Status::not_found, ""));
  const Node* properties = outline ? outline->find("properties") : nullptr;
  if (!properties) return false;
  auto inside = Outline::read(outline->raw(*properties), 1, limits);
  if (!inside) return false;
  bool any = false;
  const uint32_t start = schema->value.begin + properties->value.begin;
  for (auto* one = inside->first(inside->root()); one; one = inside->after(inside->root(), *one)) {
    if (one->type != Type::boolean) continue;
    Node place;
    place.value = {start + one->value.begin, start + one->value.end};
    edits.replace(place, inside->raw(*one) == "true" ? "{}" : R"({"not":{}})");
    any = true;
  }
  return any;
}

// The tool as clients of the legacy era are shown it, or nothing when that is how it is.
std::optional<std::string> spelt_for_legacy(const Outline& tool) {
  json::Edits edits(tool);
  bool changed = spell_properties(tool, tool.find("inputSchema"), edits);
  changed |= spell_properties(tool, tool.find("outputSchema"), edits);
  if (!has_legacy_output(tool)) {
    edits.remove(tool.root(), *tool.find("outputSchema"));
    changed = true;
  }
  if (!changed) return std::nullopt;
  return json::apply(tool.text(), tool.root().value, edits.sorted());
}

// A schema of arguments is that of an object, said or not. Whether it was not.
bool complete_input(const Outline& tool, json::Edits& edits) {
  const Node* schema = tool.find("inputSchema");
  if (!schema) return edits.set(tool.root(), "inputSchema", R"({"type":"object"})"), true;
  auto inside = Outline::read(tool.raw(*schema), 1, item_limits(tool.raw(*schema)));
  if (!inside || inside->root().type != Type::object || inside->find("type")) return false;
  json::Edits within(*inside);
  within.set(inside->root(), "type", R"("object")");
  edits.replace(*schema, json::apply(inside->text(), inside->root().value, within.sorted()));
  return true;
}

// The entry with what must be there and can only be one thing, or nothing when that is there.
std::optional<std::string> completed(Kind kind, const Outline& entry) {
  if (entry.root().type != Type::object) return std::nullopt;
  json::Edits edits(entry);
  const Node* uri = row_of(kind).by_uri && !entry.find("name") ? entry.find(row_of(kind).key) : nullptr;
  if (uri) edits.set(entry.root(), "name", entry.raw(*uri));
  if (!uri && !(kind == Kind::tools && complete_input(entry, edits))) return std::nullopt;
  return json::apply(entry.text(), entry.root().value, edits.sorted());
}

}  // namespace

Result<Item> read_item(Kind kind, std::string_view raw) {
  MCPT_TRY(auto outline, Outline::read(raw, 1, item_limits(raw)));
  if (const auto whole = completed(kind, outline)) return read_item(kind, *whole);
  Item item;
  item.unusable = flaw_of(kind, outline);
  const Node* key = outline.find(row_of(kind).key);
  if (key) item.key = outline.string(*key);
  if (item.key.empty()) {
    return fail(Status::protocol, item.unusable.empty() ? std::string(row_of(kind).key) + " is empty" : std::move(item.unusable));
  }
  if (!item.unusable.empty()) return item;
  item.unseen = unseen_in(raw);
  item.raw = std::string(raw);
  item.key_range = key->value;
  find_uris(outline, item.uris);
  if (kind == Kind::prompts) item.arguments = find_prompt_place(item.raw);
  if (kind != Kind::tools) return item;
  item.arguments = find_virtual_place(item.raw);
  item.print = print_of(outline);
  find_headers(outline, item);
  if (auto spelt = spelt_for_legacy(outline)) {
    MCPT_TRY(auto legacy, read_item(kind, *spelt));
    item.legacy = std::make_shared<const Item>(std::move(legacy));
  }
  if (needs_task(outline)) item.unusable = "it can be called as a task only, and tasks are not offered here";
  return item;
}

}  // namespace mcptoken::gateway
