#include "gateway/view.h"

#include <algorithm>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "gateway/uri.h"
#include "json/writer.h"

namespace mcptoken::gateway {
namespace {

constexpr size_t kHashDigits = 8;

constexpr size_t kTailBytes = kHashDigits + 1;
constexpr size_t kHeadBytes = kMaxNameBytes - kTailBytes;
constexpr size_t kWidestCharacter = 4;  // bytes in UTF-8

// Cut between characters: a half one would not be valid JSON, so what is listed could not be what is called.
std::string shorten(const std::string& full) {
  size_t end = kHeadBytes;
  while (end > kHeadBytes - kWidestCharacter + 1 && (static_cast<uint8_t>(full[end]) & 0xc0) == 0x80) --end;
  auto digest = crypto::sha256(full);
  return full.substr(0, end) + "_" + to_hex(std::span(digest).first(kHashDigits / 2));
}

// What stands before the hash, or nothing when the name cannot be a shortened one.
std::optional<std::string_view> shortened_head(std::string_view name) {
  if (name.size() > kMaxNameBytes || name.size() + kWidestCharacter <= kMaxNameBytes) return std::nullopt;
  auto tail = name.substr(name.size() - kTailBytes);
  auto is_hex = [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); };
  if (tail[0] != '_' || !std::all_of(tail.begin() + 1, tail.end(), is_hex)) return std::nullopt;
  return name.substr(0, name.size() - kTailBytes);
}

bool same_model(const ModelPtr& a, const ModelPtr& b) {
  if (a == b) return true;
  if (!a || !b) return false;
  const bool same_content = a->content && b->content ? a->content->version == b->content->version : a->content == b->content;
  return same_content && a->gate == b->gate && a->error == b->error;
}

}  // namespace

bool same_servers(const ProjectView& one, const ProjectView& other) {
  return one.separator == other.separator && same_model(one.model, other.model) &&
         std::equal(one.attachments.begin(), one.attachments.end(), other.attachments.begin(), other.attachments.end(),
                    [](const Attachment& a, const Attachment& b) {
                      return a.prefix == b.prefix && a.server->id == b.server->id && a.server->name == b.server->name &&
                             a.server->version == b.server->version && a.overrides == b.overrides && same_model(a.model, b.model);
                    });
}

std::string exposed_name(const ProjectView& project, const Attachment& attachment, std::string_view upstream_name) {
  if (attachment.prefix.empty()) return std::string(upstream_name);
  std::string full = attachment.prefix + project.separator + std::string(upstream_name);
  return full.size() <= kMaxNameBytes ? full : shorten(full);
}

std::optional<Target> resolve(const ProjectView& project, std::string_view name) {
  const Attachment* best = nullptr;
  const Attachment* bare = nullptr;
  size_t best_size = 0;
  bool best_cut = false;
  auto head = shortened_head(name);
  for (const Attachment& attachment : project.attachments) {
    if (attachment.prefix.empty()) {
      bare = &attachment;
      continue;
    }
    size_t size = attachment.prefix.size() + project.separator.size();
    if (size <= best_size) continue;
    // A shortened name may have lost the end of a very long prefix.
    bool cut = head && size > head->size();
    if (cut ? !(attachment.prefix + project.separator).starts_with(*head)
            : !name.starts_with(attachment.prefix) ||
                  !name.substr(attachment.prefix.size()).starts_with(project.separator)) {
      continue;
    }
    best = &attachment;
    best_size = size;
    best_cut = cut;
  }
  Target target;
  target.attachment = best ? best : bare;
  if (!target.attachment) return std::nullopt;
  if (!best_cut) target.upstream_name = name.substr(best_size);
  target.shortened = best && head;
  return target;
}

std::optional<std::string> expand(const ProjectView& project, const Attachment& attachment, const RawList& list, std::string_view name) {
  for (const Item& item : list.items) {
    if (exposed_name(project, attachment, item.key) == name) return item.key;
  }
  return std::nullopt;
}

std::optional<Target> resolve_key(const ProjectView& project, Kind kind, std::string_view key) {
  return row_of(kind).by_uri ? resolve_uri(project, key) : resolve(project, key);
}

bool may_use(const ProjectView& project, const rbac::Principal& who, Kind kind, std::string_view server, std::string_view key) {
  if (kind == Kind::tools) return project.policy->may_use_tool(who, server, key);
  return project.policy->may_use_server(who, server);
}

bool may_use_any(const ProjectView& project, const rbac::Principal& who, Kind kind, std::string_view server) {
  if (kind == Kind::tools) return project.policy->may_use_any_tool(who, server);
  return project.policy->may_use_server(who, server);
}

namespace {

constexpr size_t kMostHidden = 100;  // that an answer names

// The entry as clients see it: with the key that they ask for it by, the URIs that they read, and with the arguments
// that are ours.
void append_item(std::string& out, const Item& item, const Attachment& attachment, std::string_view key, bool with_arguments) {
  const auto& place = item.arguments;
  const bool more = with_arguments && place.at != 0;
  const bool links = !item.uris.empty() && !attachment.prefix.empty();
  if (!more && !links) {
    out.append(item.raw, 0, item.key_range.begin);
    json::append_quoted(out, key);
    out.append(item.raw, item.key_range.end);
    return;
  }
  std::vector<json::Edit> edits;
  edits.emplace_back(item.key_range, json::quoted(key));
  if (more) edits.emplace_back(json::Range{place.at, place.at}, virtual_arguments(place));
  for (auto& uri : item.uris) {
    if (links) edits.emplace_back(uri.range, json::quoted(exposed_uri(attachment, uri.uri)));
  }
  std::sort(edits.begin(), edits.end(), [](const auto& one, const auto& other) { return one.range.begin < other.range.begin; });
  out += json::apply(item.raw, {0, static_cast<uint32_t>(item.raw.size())}, edits);
}

void add_hidden(ListView& view, const ProjectView& project, const rbac::Principal& who, const Attachment& attachment,
                const RawList& list) {
  const bool by_uri = row_of(list.kind).by_uri;
  for (auto& [name, why] : list.hidden) {
    if (view.hidden.size() >= kMostHidden) return;
    if (!may_use(project, who, list.kind, attachment.server->name, name)) continue;
    view.hidden.emplace_back(by_uri ? exposed_uri(attachment, name) : exposed_name(project, attachment, name), why);
  }
}

}  // namespace

size_t add_items(ListView& view, const ProjectView& project, const rbac::Principal& who, const Attachment& attachment,
                 const RawList& list, size_t from, size_t most) {
  view.fresh_until_ms = std::min(view.fresh_until_ms, list.fresh_until_ms);
  if (from == 0) add_hidden(view, project, who, attachment, list);
  bool by_uri = row_of(list.kind).by_uri;
  const auto type = list.kind == Kind::tools ? ContentType::tool_result : ContentType::prompt;
  const bool with_arguments = !by_uri && makes_sections(model_of(project, attachment), type);
  for (; from < list.items.size() && view.count < most; ++from) {
    const Item& item = list.items[from];
    if (!may_use(project, who, list.kind, attachment.server->name, item.key)) continue;
    std::string key = by_uri ? exposed_uri(attachment, item.key) : exposed_name(project, attachment, item.key);
    // A key that leads to another attachment could not be asked for: it is not shown.
    auto target = resolve_key(project, list.kind, key);
    if (!target || target->attachment != &attachment) {
      if (view.hidden.size() < kMostHidden) view.hidden.emplace_back(std::move(key), "it looks like one of another server of this project");
      continue;
    }
    if (view.count++ > 0) view.items.push_back(',');
    append_item(view.items, item, attachment, key, with_arguments);
  }
  return from;
}

}  // namespace mcptoken::gateway
