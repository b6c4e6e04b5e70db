#include "mcp/cancel.h"

#include "mcp/rewrite.h"

namespace mcptoken::mcp {
namespace {

constexpr size_t kReasonBytes = 1024;  // longer ones are not passed on

}  // namespace

Error withdrawal(std::string_view reason) {
  Error error = Error(Status::cancelled, "the client cancelled the request").with_rpc(rpc::kRequestCancelled);
  if (reason.size() <= kReasonBytes) error.data = reason;
  return error;
}

std::string cancellation(std::string_view id, const Error& reason) {
  std::string params = "{\"requestId\":";
  params.append(id);
  if (reason.rpc == rpc::kRequestCancelled && !reason.data.empty()) params.append(",\"reason\":").append(reason.data);
  return notification("notifications/cancelled", params.append("}"));
}

const json::Node* withdrawn_request(const Message& notification) {
  return notification.method() == "notifications/cancelled" ? notification.param("requestId") : nullptr;
}

}  // namespace mcptoken::mcp
