#include "gateway/uri.h"

#include "json/writer.h"

namespace mcptoken::gateway {
namespace {

using json::Node;
using json::Outline;
using json::Type;

constexpr std::string_view kOpen = "m.";
constexpr char kClose = '+';

// Edits of one array inside a message, whose entries are read one by one.
class Rewriter {
 public:
  Rewriter(const Attachment& attachment, std::string_view array, uint32_t offset, std::vector<json::Edit>& edits)
      : attachment_(attachment), array_(array), offset_(offset), edits_(edits) {}

  // Four levels: an entry, its members, those of its `content` or `resource`, and of a resource inside content.
  void run() {
    auto read = Outline::read(array_, 4, mcp::server_limits(limits::kUpstreamBodyBytes));
    if (!read) return;  // keys spelt with escapes: nothing of the protocol's
    outline_ = &*read;
    for (auto* entry = read->first(read->root()); entry; entry = read->after(read->root(), *entry)) visit(*entry);
  }

 private:
  // A content block, one of `contents`, or a prompt's message around a block.
  void visit(const Node& entry) {
    uri_of(entry);
    if (const Node* resource = outline_->find(entry, "resource")) uri_of(*resource);
    if (const Node* content = outline_->find(entry, "content")) visit(*content);
  }
  void uri_of(const Node& object) {
    const Node* uri = outline_->find(object, "uri");
    if (!uri || uri->type != Type::string) return;
    json::Range range = {uri->value.begin + offset_, uri->value.end + offset_};
    edits_.emplace_back(range, json::quoted(exposed_uri(attachment_, outline_->string(*uri))));
  }

  const Attachment& attachment_;
  std::string_view array_;
  uint32_t offset_;
  std::vector<json::Edit>& edits_;
  const Outline* outline_ = nullptr;
};

// From quote to quote: long texts have few, and everything between two of them is passed over by memchr.
bool has_key(std::string_view raw, std::string_view quoted) {
  for (size_t at = raw.find('"'); at != raw.npos; at = raw.find('"', at + 1)) {
    if (raw.substr(at, quoted.size()) == quoted) return true;
  }
  return false;
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

std::vector<json::Edit> uri_edits(const Attachment& attachment, const mcp::Message& result) {
  std::vector<json::Edit> edits;
  if (attachment.prefix.empty()) return edits;
  for (std::string_view member : {"content", "messages", "contents"}) {
    const Node* array = result.in_result(member);
    if (!array || array->type != Type::array) continue;
    std::string_view raw = result.outline().raw(*array);
    // Most results have none: a look at the bytes costs far less than reading them once more.
    if (!has_key(raw, "\"uri\"")) continue;
    Rewriter(attachment, raw, array->value.begin, edits).run();
  }
  return edits;
}

}  // namespace mcptoken::gateway
