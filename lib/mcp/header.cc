#include "mcp/header.h"

#include "base/bytes.h"

namespace mcptoken::mcp {
namespace {

constexpr std::string_view kOpen = "=?base64?";
constexpr std::string_view kClose = "?=";

bool is_marked(std::string_view value) {
  return value.size() >= kOpen.size() + kClose.size() && value.starts_with(kOpen) && value.ends_with(kClose);
}

bool is_plain(std::string_view value) {
  if (value.empty() || value.front() == ' ' || value.back() == ' ' || is_marked(value)) return false;
  for (char c : value) {
    if (c < 0x20 || c > 0x7e) return false;
  }
  return true;
}

std::string to_base64(std::string_view bytes) {
  std::string out = to_base64url(bytes);
  for (char& c : out) c = c == '-' ? '+' : c == '_' ? '/' : c;
  while (out.size() % 4 != 0) out.push_back('=');
  return out;
}

struct NamedMethod {
  std::string_view method, member;
};
constexpr NamedMethod kNamed[] = {{"tools/call", "name"},  {"prompts/get", "name"},    {"resources/read", "uri"},
                                  {"tasks/get", "taskId"}, {"tasks/update", "taskId"}, {"tasks/cancel", "taskId"}};

}  // namespace

std::string_view named_member(std::string_view method) {
  for (const NamedMethod& named : kNamed) {
    if (named.method == method) return named.member;
  }
  return {};
}

std::string encode_header(std::string_view value) {
  if (is_plain(value)) return std::string(value);
  return std::string(kOpen) + to_base64(value) + std::string(kClose);
}

std::optional<std::string> decode_header(std::string_view value) {
  value = trim(value);
  if (!is_marked(value)) return std::string(value);
  auto decoded = from_base64(value.substr(kOpen.size(), value.size() - kOpen.size() - kClose.size()));
  if (!decoded || decoded->find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) return std::nullopt;
  return decoded;
}

}  // namespace mcptoken::mcp
