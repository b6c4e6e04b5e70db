#include "gateway/param_headers.h"

#include <algorithm>

#include "base/bytes.h"
#include "json/value.h"
#include "mcp/header.h"

namespace mcptoken::gateway {
namespace {

Error mismatch(std::string message) { return Error(Status::invalid, std::move(message)).with_rpc(mcp::rpc::kHeaderMismatch); }

ToolFacts facts_of(const RawList& list, const Target& target, const mcp::Message& message) {
  ToolFacts out;
  if (auto hidden = list.hidden.find(target.upstream_name); hidden != list.hidden.end()) out.hidden = hidden->second;
  auto marked = list.headers.find(target.upstream_name);
  if (marked == list.headers.end()) return out;
  out.marks = marked->second;
  const json::Node* arguments = message.param("arguments");
  if (!arguments) return out;  // as if there were an empty object: no header may claim one
  if (auto value = json::parse(message.outline().raw(*arguments))) out.headers = out.marks->of(*value);
  return out;
}

}  // namespace

ToolFacts facts_at_hand(const Exchange& exchange, const Client& client, const Target& target,
                        const mcp::Message& message) {
  const auto list =
      exchange.site.catalogue.at_hand(Kind::tools, *target.attachment->server, share_of(exchange, client));
  return list ? facts_of(*list, target, message) : ToolFacts();
}

loop::Task<Result<ToolFacts>> look_at_tool(const Exchange& exchange, const Client& client, const Target& target,
                                           MessagePtr message, loop::Scope& scope) {
  auto share = share_of(exchange, client);
  auto listing = exchange.site.catalogue.list(Kind::tools, target.attachment->server, std::move(share), scope);
  MCPT_CO_TRY(const auto list, co_await listing);
  co_return list ? facts_of(*list, target, *message) : ToolFacts();
}

Result<void> check_param_headers(const HttpRequest& request, const ToolFacts& tool) {
  if (!tool.marks) return {};
  for (auto& header : tool.headers) {
    bool repeated = false;
    const auto raw = request.header(lower(header.name), &repeated);
    if (!raw || repeated) return fail(mismatch((raw ? "two " : "no ") + header.name + " headers"));
    auto given = mcp::decode_header(*raw);
    auto right = mcp::decode_header(header.value);
    if (!given) return fail(mismatch("the " + header.name + " header is not well encoded"));
    if (!right || *given != *right) return fail(mismatch("the " + header.name + " header differs from the body"));
  }
  for (const auto field : request.headers) {
    if (!tool.marks->has(field.name)) continue;
    auto is_it = [name = field.name](const http::Header& header) { return equals_ignoring_case(header.name, name); };
    if (std::none_of(tool.headers.begin(), tool.headers.end(), is_it))
      return fail(mismatch("the " + std::string(field.name) + " header differs from the body"));
  }
  return {};
}

bool wants_other_headers(const mcp::Message& answer) {
  return answer.kind() == mcp::MessageKind::error && answer.to_error().rpc == mcp::rpc::kHeaderMismatch;
}

}  // namespace mcptoken::gateway
