#include "mcp/batch.h"

#include "base/limits.h"

namespace mcptoken::mcp {
namespace {

// Each element costs memory before it is known what it is: a text of nothing but digits has a great many.
constexpr size_t kMostBytes = limits::kBodyBytes;
constexpr size_t kMostMessages = 1'000;

}  // namespace

bool is_batch(std::string_view text) {
  if (text.starts_with('{')) return false;  // as nearly all messages do
  const size_t start = text.find_first_not_of(" \t\r\n");
  return start != text.npos && text[start] == '[';
}

std::vector<Message> read_batch(std::string_view text) {
  std::vector<Message> out;
  auto outline = json::Outline::read(text, 1, server_limits(kMostBytes));
  if (!outline) return out;
  size_t members = 0;
  for (auto* node = outline->first(outline->root()); node; node = outline->after(outline->root(), *node)) {
    if (++members > kMostMessages) return {};
    const std::string_view raw = outline->raw(*node);
    if (auto message = Message::parse(std::string(raw), Origin::server, server_limits(raw.size()))) out.push_back(*std::move(message));
  }
  return out;
}

}  // namespace mcptoken::mcp
