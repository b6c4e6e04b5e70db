#include "gateway/completion.h"

#include "base/limits.h"

namespace mcptoken::gateway {
namespace {

constexpr size_t kMostValues = 100;

}  // namespace

std::vector<json::Edit> completion_edits(const mcp::Message& answer) {
  std::vector<json::Edit> out;
  const json::Node* completion = answer.in_result("completion");
  if (!completion) return out;
  const std::string_view raw = answer.outline().raw(*completion);
  auto outline = json::Outline::read(raw, 2, mcp::server_limits(limits::kUpstreamBodyBytes));
  const json::Node* values = outline ? outline->find("values") : nullptr;
  if (!values || values->type != json::Type::array) return out;
  size_t count = 0;
  const json::Node* last = nullptr;
  for (auto* value = outline->first(*values); value; value = outline->after(*values, *value)) {
    if (++count == kMostValues) last = value;
  }
  if (count <= kMostValues) return out;
  json::Edits edits(*outline);
  const std::string_view kept = raw.substr(values->value.begin, last->value.end - values->value.begin);
  edits.replace(*values, std::string(kept) + "]");
  edits.set(outline->root(), "hasMore", "true");
  out.emplace_back(completion->value, json::apply(raw, outline->root().value, edits.sorted()));
  return out;
}

}  // namespace mcptoken::gateway
