#include "gateway/subject.h"

#include "json/outline.h"
#include "json/writer.h"

namespace mcptoken::gateway {
namespace {

constexpr Routed kRouted[] = {
    {"tools/call", "name", Kind::tools, ContentType::tool_result},
    {"prompts/get", "name", Kind::prompts, ContentType::prompt},
    {"resources/read", "uri", Kind::resources, ContentType::resource},
    {"completion/complete", "ref", Kind::prompts, std::nullopt},  // or resources, as its type says
};

Error bad_params(std::string message) { return Error(Status::invalid, std::move(message)).with_rpc(mcp::rpc::kInvalidParams); }

Result<Subject> read_reference(std::string_view raw) {
  auto ref = json::Outline::read(raw, 1);
  if (!ref) return fail(bad_params("params.ref: " + ref.error().message));
  const json::Node* type = ref->find("type");
  Subject out;
  out.kind = type && ref->string(*type) == "ref/resource" ? Kind::templates : Kind::prompts;
  const json::Node* key = ref->find(row_of(out.kind).by_uri ? "uri" : "name");
  if (!key || key->type != json::Type::string) return fail(bad_params("params.ref names no prompt and no resource"));
  out.key = ref->string(*key);
  out.key_range = key->value;
  return out;
}

}  // namespace

const Routed& routed(std::string_view method) {
  for (auto& one : kRouted) {
    if (one.method == method) return one;
  }
  return kRouted[0];
}

Result<Subject> read_subject(const Routed& route, const mcp::Message& message) {
  const bool by_reference = route.member == "ref";
  const json::Node* member = message.param(route.member);
  if (!member || member->type != (by_reference ? json::Type::object : json::Type::string))
    return fail(bad_params("params." + std::string(route.member) + " is required"));
  const json::Node* arguments = message.param("arguments");
  if (arguments && route.member == "name" && arguments->type != json::Type::object) {
    return fail(bad_params("params.arguments is not an object"));
  }
  const std::string_view raw = message.outline().raw(*member);
  if (by_reference) return read_reference(raw);
  Subject out;
  out.kind = route.kind;
  out.key = message.outline().string(*member);
  out.key_range = {0, static_cast<uint32_t>(raw.size())};
  return out;
}

std::string subject_text(const Routed& route, Kind kind, std::string_view key) {
  if (kind == Kind::tools) return std::string(key);
  if (row_of(kind).by_uri) key = key.substr(0, key.find_first_of("?#"));
  return std::string(route.method) + " " + std::string(key);
}

Error unknown_key(Kind kind, std::string_view key, mcp::Era era) {
  const std::string shown(key);
  if (!row_of(kind).by_uri) {
    const std::string what = kind == Kind::tools ? "Unknown tool: " : "Unknown prompt: ";
    return Error(Status::not_found, what + shown).with_rpc(mcp::rpc::kInvalidParams);
  }
  return Error(Status::not_found, "Resource not found: " + shown)
      .with_rpc(era == mcp::Era::modern ? mcp::rpc::kInvalidParams : kResourceNotFound)
      .with_data("{\"uri\":" + json::quoted(key) + "}");
}

}  // namespace mcptoken::gateway
