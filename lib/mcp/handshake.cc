#include "mcp/handshake.h"

#include "json/writer.h"

namespace mcptoken::mcp {
namespace {

using json::Node;
using json::Outline;
using json::Type;

std::string raw_or(const Message& message, std::string_view member, Type type, std::string_view fallback) {
  const Node* node = message.in_result(member);
  return std::string(node && node->type == type ? message.outline().raw(*node) : fallback);
}

std::string string_of(const Message& message, std::string_view member) {
  const Node* node = message.in_result(member);
  return node && node->type == Type::string ? message.outline().string(*node) : std::string();
}

// What a server has said, of which some members mean something here.
Result<Outline> read_part(std::string_view raw, size_t depth) { return Outline::read(raw, depth, server_limits(raw.size())); }

bool lists(const Outline& outline, const Node* array, std::string_view wanted) {
  if (!array || array->type != Type::array) return false;
  auto items = read_part(outline.raw(*array), 1);
  if (!items) return false;
  for (auto* item = items->first(items->root()); item; item = items->after(items->root(), *item)) {
    if (item->type == Type::string && items->string(*item) == wanted) return true;
  }
  return false;
}

// The era of a server that refused our revision, by the list it should have sent along.
Result<Era> judge_supported(const Message& error) {
  const Node* data = error.outline().find(*error.error(), "data");
  if (!data || data->type != Type::object) return Era::modern;  // a modern error without a list: assume the one we know
  MCPT_TRY(auto outline, read_part(error.outline().raw(*data), 1));
  const Node* supported = outline.find("supported");
  if (!supported || lists(outline, supported, kModernRevision)) return Era::modern;
  for (auto revision : legacy_revisions()) {
    if (lists(outline, supported, revision)) return Era::legacy;
  }
  return fail(Status::protocol, "the server speaks no protocol revision that we know");
}

}  // namespace

bool declares(const PeerInfo& info, std::string_view capability) {
  auto outline = read_part(info.capabilities, 1);
  const Node* node = outline ? outline->find(capability) : nullptr;
  return node && node->type == Type::object;
}

bool announces_changes(const PeerInfo& info) {
  auto outline = read_part(info.capabilities, 2);
  if (!outline || outline->root().type != Type::object) return false;
  for (std::string_view capability : {"tools", "prompts", "resources"}) {
    const Node* node = outline->find(capability);
    const Node* says = node && node->type == Type::object ? outline->find(*node, "listChanged") : nullptr;
    if (says && outline->raw(*says) == "true") return true;
  }
  return false;
}

std::string modern_meta(const PeerIdentity& identity) {
  std::string out;
  json::Writer(out)
      .begin_object()
      .member("io.modelcontextprotocol/protocolVersion", kModernRevision)
      .raw_member("io.modelcontextprotocol/clientCapabilities", capabilities_json(identity.capabilities))
      .raw_member("io.modelcontextprotocol/clientInfo", identity.client_info)
      .end_object();
  return out;
}

std::string discover_params(const PeerIdentity& identity) { return "{\"_meta\":" + modern_meta(identity) + "}"; }

std::string initialize_params(const PeerIdentity& identity, std::string_view revision) {
  std::string out;
  json::Writer(out)
      .begin_object()
      .member("protocolVersion", revision)
      .raw_member("capabilities", capabilities_json(identity.capabilities))
      .raw_member("clientInfo", identity.client_info)
      .end_object();
  return out;
}

Result<Era> judge_discover(const Message& answer) {
  if (answer.kind() == MessageKind::result) {
    if (lists(answer.outline(), answer.in_result("supportedVersions"), kModernRevision)) return Era::modern;
    return Era::legacy;
  }
  // Every modern server has server/discover: a plain "unknown method" is a legacy server's answer, whatever its status.
  switch (answer.to_error().rpc) {
    case rpc::kHeaderMismatch:
    case rpc::kMissingCapability:
      return Era::modern;
    case rpc::kUnsupportedVersion:
      return judge_supported(answer);
    default:
      return Era::legacy;
  }
}

Result<PeerInfo> read_initialize_result(const Message& answer) {
  if (answer.kind() != MessageKind::result) return fail(answer.to_error().in("initialize"));
  PeerInfo info;
  info.era = Era::legacy;
  info.revision = string_of(answer, "protocolVersion");
  if (!is_legacy(info.revision)) return fail(Status::protocol, "the server answers initialize with an unknown protocol revision");
  info.capabilities = raw_or(answer, "capabilities", Type::object, "{}");
  info.server_info = raw_or(answer, "serverInfo", Type::object, "{}");
  info.instructions = string_of(answer, "instructions");
  return info;
}

Result<PeerInfo> read_discover_result(const Message& answer) {
  if (answer.kind() != MessageKind::result) return fail(answer.to_error().in("server/discover"));
  PeerInfo info;
  info.era = Era::modern;
  info.revision = std::string(kModernRevision);
  info.capabilities = raw_or(answer, "capabilities", Type::object, "{}");
  info.server_info = raw_or(answer, "serverInfo", Type::object, "{}");
  if (const Node* meta = answer.in_result("_meta"); meta && meta->type == Type::object) {
    if (auto outline = read_part(answer.outline().raw(*meta), 1)) {
      if (const Node* server = outline->find("io.modelcontextprotocol/serverInfo")) info.server_info = outline->raw(*server);
    }
  }
  info.instructions = string_of(answer, "instructions");
  return info;
}

}  // namespace mcptoken::mcp
