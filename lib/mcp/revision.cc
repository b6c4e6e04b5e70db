#include "mcp/revision.h"

#include <algorithm>
#include <array>

namespace mcptoken::mcp {
namespace {

constexpr std::array<std::string_view, 4> kLegacy = {"2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"};

}  // namespace

bool is_modern(std::string_view revision) { return revision == kModernRevision; }

bool is_legacy(std::string_view revision) { return std::find(kLegacy.begin(), kLegacy.end(), revision) != kLegacy.end(); }

std::span<const std::string_view> legacy_revisions() { return kLegacy; }

std::string capabilities_json(uint32_t mask) {
  std::string out = "{";
  auto add = [&](std::string_view member) {
    if (out.size() > 1) out.push_back(',');
    out.append(member);
  };
  if (mask & (kElicitationForm | kElicitationUrl)) {
    bool form = mask & kElicitationForm, url = mask & kElicitationUrl;
    add(form && url ? R"("elicitation":{"form":{},"url":{}})" : url ? R"("elicitation":{"url":{}})" : R"("elicitation":{"form":{}})");
  }
  if (mask & kRoots) add(R"("roots":{})");
  if (mask & kSampling) add(mask & kSamplingTools ? R"("sampling":{"tools":{}})" : R"("sampling":{})");
  out.push_back('}');
  return out;
}

}  // namespace mcptoken::mcp
