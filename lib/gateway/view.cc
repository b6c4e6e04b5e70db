#include "gateway/view.h"

#include <algorithm>
#include <unordered_map>

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

namespace {

bool is_whole(const ProjectView& project, const Attachment& attachment, const Item& item) {
  return attachment.prefix.size() + project.separator.size() + item.key.size() <= kMaxNameBytes;
}

}  // namespace

// A name that only looks like a shortened one goes before those that are, and of these the first.
std::optional<std::string> expand(const ProjectView& project, const Attachment& attachment, const RawList& list, std::string_view name) {
  const Item* found = nullptr;
  for (const Item& item : list.items) {
    if (exposed_name(project, attachment, item.key) != name) continue;
    if (is_whole(project, attachment, item)) return item.key;
    if (!found) found = &item;
  }
  return found ? std::optional(found->key) : std::nullopt;
}

std::optional<Target> resolve_key(const ProjectView& project, Kind kind, std::string_view key) {
  return row_of(kind).by_uri ? resolve_uri(project, key) : resolve(project, key);
}

Visibility::Visibility(const ProjectView& project, const rbac::Principal& who, Kind kind, std::string_view server) {
  if (kind == Kind::tools) tools_.emplace(project.policy->tools_of(who, server));
  else all_ = project.policy->may_use_server(who, server);
}

bool may_use(const ProjectView& project, const rbac::Principal& who, Kind kind, std::string_view server, std::string_view key) {
  return Visibility(project, who, kind, server).is_one(key);
}

bool may_use_any(const ProjectView& project, const rbac::Principal& who, Kind kind, std::string_view server) {
  if (kind == Kind::tools) return project.policy->may_use_any_tool(who, server);
  return project.policy->may_use_server(who, server);
}

namespace {

constexpr size_t kMostRemarks = 100;  // that an answer names

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

// What a page takes at most, but for what is put into its entries.
size_t bytes_of(const RawList& list, size_t from, size_t most) {
  size_t bytes = 0;
  for (; from < list.items.size() && most > 0; ++from, --most)
    bytes += list.items[from].raw.size() + kMaxNameBytes;
  return bytes;
}

// How an attachment's entries are named, as far as that is the same for all of them.
class Naming {
 public:
  Naming(const ProjectView& project, const Attachment& attachment, const RawList& list)
      : project_(project), attachment_(attachment), list_(list), kind_(list.kind) {
    if (row_of(kind_).by_uri) return;
    const std::string own = attachment.prefix.empty() ? "" : attachment.prefix + project.separator;
    const auto may_take = [&](const Attachment& other) {
      return &other != &attachment && !other.prefix.empty() && (other.prefix + project.separator).starts_with(own);
    };
    simple_ = std::none_of(project.attachments.begin(), project.attachments.end(), may_take);
    prefix_bytes_ = own.size();
    start_ = json::quoted(own);
    start_.pop_back();  // its closing quote
  }

  // Most names are a prefix and the server's own one, which no other server of the project could be asked for by.
  bool append_simply(std::string& out, const Item& item) const {
    const bool plain = item.key_range.size() == item.key.size() + 2;  // it is spelt without escapes
    if (!simple_ || !plain || prefix_bytes_ + item.key.size() + kWidestCharacter > kMaxNameBytes) return false;
    out.append(item.raw, 0, item.key_range.begin).append(start_);
    out.append(item.raw, item.key_range.begin + 1);
    return true;
  }
  std::string exposed(const Item& item) const {
    return row_of(kind_).by_uri ? exposed_uri(attachment_, item.key) : exposed_name(project_, attachment_, item.key);
  }
  // A key that leads to something else could not be asked for. Why, "" when it does not.
  std::string why_lost(const std::string& key, const Item& item) {
    const auto target = resolve_key(project_, kind_, key);
    if (!target || target->attachment != &attachment_) return "it looks like one of another server of this project";
    if (!target->shortened || takes(key, item)) return "";
    return "another one of this server has the same name here";
  }

 private:
  // What expand() answers for each name that may be a shortened one, for all of a list at once.
  bool takes(const std::string& key, const Item& item) {
    if (!takers_) {
      takers_.emplace();
      for (const Item& one : list_.items) {
        std::string name = exposed(one);
        if (!shortened_head(name)) continue;
        const Item*& taker = (*takers_)[std::move(name)];
        if (!taker || is_whole(project_, attachment_, one)) taker = &one;
      }
    }
    const auto taker = takers_->find(key);
    return taker == takers_->end() || taker->second->key == item.key;
  }

  const ProjectView& project_;
  const Attachment& attachment_;
  const RawList& list_;
  Kind kind_;
  std::optional<std::unordered_map<std::string, const Item*>> takers_;
  bool simple_ = false;
  size_t prefix_bytes_ = 0;
  std::string start_;  // of the name as JSON
};

// What is to be said of entries that the principal may use.
void add_remarks(const ProjectView& project, const rbac::Principal& who, const Attachment& attachment, Kind kind, const Remarks& remarks,
                 std::vector<std::pair<std::string, std::string>>& out) {
  const bool by_uri = row_of(kind).by_uri;
  for (auto& [name, what] : remarks) {
    if (out.size() >= kMostRemarks) return;
    if (!may_use(project, who, kind, attachment.server->name, name)) continue;
    out.emplace_back(by_uri ? exposed_uri(attachment, name) : exposed_name(project, attachment, name), what);
  }
}

}  // namespace

size_t add_items(ListView& view, const ProjectView& project, const rbac::Principal& who, const Attachment& attachment,
                 const RawList& list, size_t from, size_t most) {
  view.fresh_until_ms = std::min(view.fresh_until_ms, list.fresh_until_ms);
  if (from == 0) {
    add_remarks(project, who, attachment, list.kind, list.hidden, view.hidden);
    add_remarks(project, who, attachment, list.kind, list.suspicious, view.suspicious);
  }
  const auto type = list.kind == Kind::tools ? ContentType::tool_result : ContentType::prompt;
  const bool with_arguments = !row_of(list.kind).by_uri && makes_sections(model_of(project, attachment), type);
  Naming naming(project, attachment, list);
  const Visibility visible(project, who, list.kind, attachment.server->name);
  view.items.reserve(view.items.size() + bytes_of(list, from, most - view.count));
  for (; from < list.items.size() && view.count < most; ++from) {
    const Item& told = list.items[from];
    if (!visible.is_one(told.key)) continue;
    const Item& item = told.legacy && view.era == mcp::Era::legacy ? *told.legacy : told;
    const bool is_changed =
        (with_arguments && item.arguments.at != 0) || (!item.uris.empty() && !attachment.prefix.empty());
    const size_t before = view.items.size();
    if (view.count > 0) view.items.push_back(',');
    if (is_changed || !naming.append_simply(view.items, item)) {
      std::string key = naming.exposed(item);
      if (auto why = naming.why_lost(key, told); !why.empty()) {
        view.items.resize(before);
        if (view.hidden.size() < kMostRemarks) view.hidden.emplace_back(std::move(key), std::move(why));
        continue;
      }
      append_item(view.items, item, attachment, key, with_arguments);
    }
    ++view.count;
  }
  return from;
}

}  // namespace mcptoken::gateway
