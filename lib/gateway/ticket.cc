#include "gateway/ticket.h"

#include "base/bytes.h"

namespace mcptoken::gateway {
namespace {

constexpr std::string_view kLabel = "mcp-ticket";

std::string associated(const Caller& caller, std::string_view use) {
  std::string out = caller.who->token_sha;
  out.append("\n").append(caller.project->id).append("\n").append(use);
  return out;
}

}  // namespace

Result<std::string> seal_ticket(const Caller& caller, std::string_view use, std::string_view content, int64_t expires_wall_ms) {
  std::string plain = std::to_string(expires_wall_ms);
  plain.append("\n").append(content);
  MCPT_TRY(auto sealed, crypto::seal(crypto::derive_key(caller.bearer.reveal(), kLabel), plain, associated(caller, use)));
  return to_base64url(sealed);
}

Result<std::string> open_ticket(const Caller& caller, std::string_view use, std::string_view ticket, int64_t now_wall_ms) {
  auto unknown = [] { return fail(Status::invalid, "it was not given out for this request, or is too old"); };
  auto sealed = from_base64url(ticket);
  if (!sealed) return unknown();
  auto plain = crypto::open(crypto::derive_key(caller.bearer.reveal(), kLabel), *sealed, associated(caller, use));
  if (!plain) return unknown();
  size_t end = plain->find('\n');
  auto expires = parse_decimal(std::string_view(*plain).substr(0, end));
  if (end == std::string::npos || !expires || now_wall_ms >= *expires) return unknown();
  return plain->substr(end + 1);
}

}  // namespace mcptoken::gateway
