#include "mcp/rewrite.h"

#include <algorithm>
#include <iterator>

#include "base/log.h"
#include "json/writer.h"

namespace mcptoken::mcp {
namespace {

using json::Node;
using json::Outline;

constexpr std::string_view kReserved = "io.modelcontextprotocol/";

// The envelope members of the modern era are the hop's own; extensions under the same prefix are not relayed either.
bool hop_owned(std::string_view key) { return key.starts_with(kReserved) || key == "progressToken"; }

}  // namespace

std::string hop_meta(const Message& message, const HopMeta& hop) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object();
  bool traced = hop.trace_parent.empty();
  if (const Node* node = message.meta()) {
    // What a client says has been judged by stricter rules; what a server or the host says is odd at times.
    const std::string_view raw = message.outline().raw(*node);
    if (auto meta = Outline::read(raw, 1, server_limits(raw.size()))) {
      for (auto* member = meta->first(meta->root()); member; member = meta->after(meta->root(), *member)) {
        const std::string_view key = meta->key(*member);
        traced |= key == "traceparent" || key == "tracestate";
        if (!hop_owned(key)) writer.spelt_key(meta->spelling(*member)).raw(meta->raw(*member));
      }
    }
  }
  if (hop.era == Era::modern) {
    writer.member("io.modelcontextprotocol/protocolVersion", kModernRevision);
    writer.raw_member("io.modelcontextprotocol/clientCapabilities", hop.capabilities);
    if (!hop.client_info.empty()) writer.raw_member("io.modelcontextprotocol/clientInfo", hop.client_info);
    if (!hop.log_level.empty()) writer.member("io.modelcontextprotocol/logLevel", hop.log_level);
  }
  if (!traced) writer.member("traceparent", hop.trace_parent);
  if (!traced && !hop.trace_state.empty()) writer.member("tracestate", hop.trace_state);
  if (!hop.progress_token.empty()) writer.raw_member("progressToken", hop.progress_token);
  writer.end_object();
  return out.size() == 2 ? std::string() : out;
}

HopParams::HopParams(const Message& message, const HopMeta& hop, std::span<const ParamEdit> edits)
    : meta_(hop_meta(message, hop)), edits_(message.outline()) {
  const Node* params = message.params();
  if (!params) {
    if (!meta_.empty()) meta_ = "{\"_meta\":" + meta_ + "}";
    else meta_ = "{}";
    pieces_.push_back(meta_);
    return;
  }
  for (auto& edit : edits) {
    const Node* node = message.param(edit.member);
    if (!edit.json.empty()) edits_.set(*params, edit.member, edit.json);
    else if (node) edits_.remove(*params, *node);
  }
  if (!meta_.empty()) edits_.set(*params, "_meta", meta_);
  else if (const Node* node = message.meta()) edits_.remove(*params, *node);
  json::append_pieces(pieces_, message.text(), params->value, edits_.sorted());
}

namespace {

constexpr std::string_view kServerInfo = "io.modelcontextprotocol/serverInfo";
constexpr std::string_view kServerInfoEnd = "/serverInfo\"";  // also where the slash is escaped, as PHP does

// The result's `_meta` with our own server info (modern) or none (legacy); "" when nothing is left.
std::string client_meta(const Outline& outline, const Node& result, const ClientHop& hop) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object();
  const Node* node = outline.find(result, "_meta");
  const bool given = node && node->type == json::Type::object;
  const std::string_view raw = !given ? std::string_view() : hop.meta.empty() ? outline.raw(*node) : hop.meta;
  auto meta = raw.empty() ? Result<Outline>(fail(Status::not_found, "")) : Outline::read(raw, 1, server_limits(raw.size()));
  if (meta) {
    for (auto* member = meta->first(meta->root()); member; member = meta->after(meta->root(), *member)) {
      if (meta->key(*member) != kServerInfo) writer.spelt_key(meta->spelling(*member)).raw(meta->raw(*member));
    }
  }
  if (hop.era == Era::modern) writer.raw_member(kServerInfo, hop.server_info);
  writer.end_object();
  return out.size() == 2 ? std::string() : out;
}

// Up to 2025-11-25 structured content is an object. Another value becomes a text, unless texts say it already.
void make_legacy(const Outline& outline, const Node& result, json::Edits& edits) {
  const Node* structured = outline.find(result, "structuredContent");
  if (!structured || structured->type == json::Type::object) return;
  edits.remove(result, *structured);
  const std::string text = R"({"type":"text","text":)" + json::quoted(outline.raw(*structured)) + "}";
  const Node* content = outline.find(result, "content");
  if (!content || content->type != json::Type::array) return edits.set(result, "content", "[" + text + "]");
  const std::string_view raw = outline.raw(*content);
  auto blocks = Outline::read(raw, 2, server_limits(raw.size()));
  bool any = false;
  for (auto* block = blocks ? blocks->first(blocks->root()) : nullptr; block;
       block = blocks->after(blocks->root(), *block)) {
    const Node* type = blocks->find(*block, "type");
    if (type && blocks->string(*type) == "text") return;
    any = true;
  }
  Node end;
  end.value = {content->value.end - 1, content->value.end - 1};
  edits.replace(end, (any ? "," : "") + text);
}

constexpr std::string_view kEnvelope[] = {"jsonrpc", "id", "method", "params", "result", "error"};

}  // namespace

void drop_unknown_members(const Message& message, json::Edits& edits) {
  const Outline& outline = message.outline();
  for (auto* node = outline.first(outline.root()); node; node = outline.after(outline.root(), *node)) {
    if (std::find(std::begin(kEnvelope), std::end(kEnvelope), outline.key(*node)) == std::end(kEnvelope))
      edits.remove(outline.root(), *node);
  }
}

std::string to_client(const Message& reply, const ClientHop& hop) {
  const Outline& outline = reply.outline();
  json::Edits edits(outline);
  drop_unknown_members(reply, edits);
  if (reply.id_node()) edits.replace(*reply.id_node(), std::string(hop.id));
  else edits.set(outline.root(), "id", hop.id);
  for (auto& edit : hop.edits) {
    Node place;
    place.value = edit.range;
    edits.replace(place, edit.bytes);
  }
  const Node* result = reply.result();
  if (result && result->type == json::Type::object) {
    const Node* meta = outline.find(*result, "_meta");
    if (hop.era == Era::modern) {
      if (!outline.find(*result, "resultType")) edits.set(*result, "resultType", "\"complete\"");
      if (hop.cacheable) {
        if (!outline.find(*result, "ttlMs")) edits.set(*result, "ttlMs", "0");
        edits.set(*result, "cacheScope", "\"private\"");
      }
      edits.set(*result, "_meta", client_meta(outline, *result, hop));
    } else {
      make_legacy(outline, *result, edits);
      // Members that only the modern era defines at this place.
      for (std::string_view key : {"resultType", "ttlMs", "cacheScope"}) {
        if (const Node* node = outline.find(*result, key)) edits.remove(*result, *node);
      }
      if (meta && (!hop.meta.empty() || outline.raw(*meta).find(kServerInfoEnd) != std::string_view::npos)) {
        std::string left = client_meta(outline, *result, hop);
        if (left.empty()) edits.remove(*result, *meta);
        else edits.set(*result, "_meta", left);
      }
    }
  }
  return json::apply(reply.text(), outline.root().value, edits.sorted());
}

std::string error_message(std::string_view id, const Error& error) {
  std::string out;
  json::Writer writer(out);
  writer.begin_object().member("jsonrpc", "2.0").raw_member("id", id.empty() ? "null" : id).key("error");
  writer.begin_object()
      .member("code", error.rpc ? error.rpc : rpc::kInternalError)
      .member("message", redact(error.message));
  if (!error.data.empty()) writer.raw_member("data", redact(error.data));
  writer.end_object().end_object();
  return out;
}

std::string result_message(std::string_view id, std::string_view result) {
  std::string out = "{\"jsonrpc\":\"2.0\",\"id\":";
  out.append(id).append(",\"result\":").append(result).append("}");
  return out;
}

std::string notification(std::string_view method, std::string_view params) {
  std::string out = "{\"jsonrpc\":\"2.0\",\"method\":";
  json::append_quoted(out, method);
  if (!params.empty()) out.append(",\"params\":").append(params);
  out.push_back('}');
  return out;
}

std::string request_head(std::string_view id, std::string_view method, bool has_params) {
  std::string out;
  out.reserve(64 + id.size() + method.size());
  out.append("{\"jsonrpc\":\"2.0\",\"id\":").append(id).append(",\"method\":");
  json::append_quoted(out, method);
  if (has_params) out.append(",\"params\":");
  return out;
}

}  // namespace mcptoken::mcp
