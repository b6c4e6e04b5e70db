#include "gateway/uri.h"

#include <algorithm>

#include "json/writer.h"

namespace mcptoken::gateway {
namespace {

using json::Node;
using json::Outline;
using json::Type;

constexpr std::string_view kOpen = "m.";
constexpr char kClose = '+';

constexpr std::string_view kUriKeys[] = {"uri\"", "resourceUri\"", "ui/resourceUri\"", "ui\\/resourceUri\""};

// From quote to quote: long texts have few, and everything between two of them is passed over by memchr. Most messages have
// no URI: a look at the bytes costs far less than reading them once more.
bool has_uri_key(std::string_view raw) {
  for (size_t at = raw.find('"'); at != raw.npos && at + 1 < raw.size(); at = raw.find('"', at + 1)) {
    if (raw[at + 1] != 'u' && raw[at + 1] != 'r') continue;  // as none of them begins
    for (std::string_view key : kUriKeys)
      if (raw.substr(at + 1, key.size()) == key) return true;
  }
  return false;
}

// Edits of one value inside a text, which is read anew, deep enough for a resource in what a tool answered in a message.
class Rewriter {
 public:
  Rewriter(const Attachment& attachment, std::string_view value, uint32_t offset, std::vector<json::Edit>& edits)
      : attachment_(attachment), offset_(offset), edits_(edits) {
    if (!has_uri_key(value)) return;
    // Where keys are equal, deep inside, those above them count alone.
    for (size_t depth : {kDepth, kShallow}) {
      auto read = Outline::read(value, depth, mcp::server_limits(limits::kUpstreamBodyBytes));
      if (!read) continue;
      outline_.emplace(*std::move(read));
      return;
    }
  }

  // An array of content blocks, messages or contents of a resource.
  void blocks() {
    if (outline_ && outline_->root().type == Type::array) each(outline_->root());
  }
  // An object of `inputRequests`: what a model is to be asked has messages.
  void requests() {
    if (!outline_ || outline_->root().type != Type::object) return;
    for (auto* entry = outline_->first(outline_->root()); entry; entry = outline_->after(outline_->root(), *entry)) {
      const Node* params = outline_->find(*entry, "params");
      const Node* messages = params ? outline_->find(*params, "messages") : nullptr;
      if (messages && messages->type == Type::array) each(*messages);
    }
  }
  // A `_meta` object.
  void meta() {
    if (outline_) meta(outline_->root());
  }

 private:
  static constexpr size_t kDepth = 10, kShallow = 4;

  void each(const Node& array) {
    for (auto* entry = outline_->first(array); entry; entry = outline_->after(array, *entry)) block(*entry);
  }
  // A content block, one of `contents`, or a message around one block or some.
  void block(const Node& entry) {
    uri_of(entry, "uri");
    if (const Node* own = outline_->find(entry, "_meta")) meta(*own);
    if (const Node* resource = outline_->find(entry, "resource")) block(*resource);
    const Node* content = outline_->find(entry, "content");
    if (!content) return;
    if (content->type == Type::array) each(*content);
    else block(*content);
  }
  // Of a user interface (MCP Apps): {"ui":{"resourceUri":…}}, and "ui/resourceUri" as the first drafts had it.
  void meta(const Node& object) {
    if (const Node* ui = outline_->find(object, "ui")) uri_of(*ui, "resourceUri");
    uri_of(object, "ui/resourceUri");
  }
  void uri_of(const Node& object, std::string_view key) {
    const Node* uri = outline_->find(object, key);
    if (!uri || uri->type != Type::string) return;
    json::Range range = {uri->value.begin + offset_, uri->value.end + offset_};
    edits_.emplace_back(range, json::quoted(exposed_uri(attachment_, outline_->string(*uri))));
  }

  const Attachment& attachment_;
  uint32_t offset_;
  std::vector<json::Edit>& edits_;
  std::optional<Outline> outline_;
};

std::string applied(std::string_view text, std::vector<json::Edit> edits) {
  // They are found in the order in which members are looked for.
  std::sort(edits.begin(), edits.end(), [](const auto& one, const auto& other) { return one.range.begin < other.range.begin; });
  return json::apply(text, {0, static_cast<uint32_t>(text.size())}, edits);
}

}  // namespace

std::string exposed_uri(const Attachment& attachment, std::string_view uri) {
  if (attachment.prefix.empty()) return std::string(uri);
  std::string out(kOpen);
  out.append(attachment.server->name).push_back(kClose);
  return out.append(uri);
}

std::optional<Target> resolve_uri(const ProjectView& project, std::string_view uri) {
  Target target;
  if (size_t end = uri.find(kClose); uri.starts_with(kOpen) && end != std::string_view::npos) {
    std::string_view server = uri.substr(kOpen.size(), end - kOpen.size());
    for (const Attachment& attachment : project.attachments) {
      if (attachment.prefix.empty() || attachment.server->name != server) continue;
      target.attachment = &attachment;
      target.upstream_name = uri.substr(end + 1);
      return target;
    }
  }
  for (const Attachment& attachment : project.attachments) {
    if (!attachment.prefix.empty()) continue;
    target.attachment = &attachment;
    target.upstream_name = uri;
    return target;
  }
  return std::nullopt;
}

std::vector<json::Edit> uri_edits(const Attachment& attachment, const mcp::Message& message) {
  std::vector<json::Edit> edits;
  if (attachment.prefix.empty()) return edits;
  const auto rewriter = [&](const Node& node) { return Rewriter(attachment, message.outline().raw(node), node.value.begin, edits); };
  for (std::string_view member : {"content", "messages", "contents"}) {
    const Node* array = message.in_result(member);
    if (array && array->type == Type::array) rewriter(*array).blocks();
  }
  if (const Node* asked = message.in_result("inputRequests")) rewriter(*asked).requests();
  if (const Node* messages = message.param("messages")) rewriter(*messages).blocks();
  std::sort(edits.begin(), edits.end(), [](const auto& one, const auto& other) { return one.range.begin < other.range.begin; });
  return edits;
}

std::string exposed_meta(const Attachment& attachment, const mcp::Message& result) {
  const Node* meta = result.in_result("_meta");
  if (!meta || meta->type != Type::object || attachment.prefix.empty()) return "";
  const std::string_view raw = result.outline().raw(*meta);
  std::vector<json::Edit> edits;
  Rewriter(attachment, raw, 0, edits).meta();
  return edits.empty() ? "" : applied(raw, std::move(edits));
}

std::string exposed_data(const Attachment& attachment, std::string_view data) {
  if (attachment.prefix.empty()) return std::string(data);
  // Its own members alone are read: whatever is odd below them takes nothing from it.
  const auto outline = Outline::read(data, 1, mcp::server_limits(data.size()));
  const Node* uri = outline ? outline->find("uri") : nullptr;
  if (!uri || uri->type != Type::string) return std::string(data);
  return applied(data, {json::Edit(uri->value, json::quoted(exposed_uri(attachment, outline->string(*uri))))});
}

std::string exposed_requests(const Attachment& attachment, std::string_view requests) {
  std::vector<json::Edit> edits;
  if (!attachment.prefix.empty()) Rewriter(attachment, requests, 0, edits).requests();
  return applied(requests, std::move(edits));
}

}  // namespace mcptoken::gateway
