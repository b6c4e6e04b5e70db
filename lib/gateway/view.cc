#include "gateway/view.h"

#include <algorithm>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "json/writer.h"

namespace mcptoken::gateway {
namespace {

constexpr size_t kHashDigits = 8;

std::string shorten(const std::string& full) {
  auto digest = crypto::sha256(full);
  return full.substr(0, kMaxNameBytes - kHashDigits - 1) + "_" + to_hex(std::span(digest).first(kHashDigits / 2));
}

bool looks_shortened(std::string_view name) {
  if (name.size() != kMaxNameBytes || name[kMaxNameBytes - kHashDigits - 1] != '_') return false;
  auto tail = name.substr(kMaxNameBytes - kHashDigits);
  return std::all_of(tail.begin(), tail.end(), [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
}

}  // namespace

std::string exposed_name(const ProjectView& project, const Attachment& attachment, std::string_view upstream_name) {
  if (attachment.prefix.empty()) return std::string(upstream_name);
  std::string full = attachment.prefix + project.separator + std::string(upstream_name);
  return full.size() <= kMaxNameBytes ? full : shorten(full);
}

std::optional<Target> resolve(const ProjectView& project, std::string_view name) {
  const Attachment* best = nullptr;
  const Attachment* bare = nullptr;
  size_t best_size = 0;
  for (const Attachment& attachment : project.attachments) {
    if (attachment.prefix.empty()) {
      bare = &attachment;
      continue;
    }
    size_t size = attachment.prefix.size() + project.separator.size();
    if (size <= best_size || !name.starts_with(attachment.prefix)) continue;
    if (!name.substr(attachment.prefix.size()).starts_with(project.separator)) continue;
    best = &attachment;
    best_size = size;
  }
  Target target;
  target.attachment = best ? best : bare;
  if (!target.attachment) return std::nullopt;
  target.upstream_name = name.substr(best_size);
  target.shortened = best && looks_shortened(name);
  return target;
}

std::optional<std::string> expand(const ProjectView& project, const Attachment& attachment, const RawList& list, std::string_view name) {
  for (const Item& item : list.items) {
    if (exposed_name(project, attachment, item.name) == name) return item.name;
  }
  return std::nullopt;
}

void add_tools(ToolsView& view, const ProjectView& project, const rbac::Principal& who, const Attachment& attachment, const RawList& list) {
  view.fresh_until_ms = std::min(view.fresh_until_ms, list.fresh_until_ms);
  for (const Item& item : list.items) {
    if (!project.policy->may_use_tool(who, attachment.server->name, item.name)) continue;
    std::string name = exposed_name(project, attachment, item.name);
    // A name that leads to another attachment could not be called: it is not shown.
    auto target = resolve(project, name);
    if (!target || target->attachment != &attachment) continue;
    if (view.count++ > 0) view.tools.push_back(',');
    view.tools.append(item.raw, 0, item.name_range.begin);
    json::append_quoted(view.tools, name);
    view.tools.append(item.raw, item.name_range.end);
  }
}

}  // namespace mcptoken::gateway
