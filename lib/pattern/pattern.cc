#include "pattern/pattern.h"

#include <re2/re2.h>

namespace mcptoken::pattern {
namespace {

constexpr int64_t kMemoryBytes = 8 << 20;  // of one pattern's automaton

}  // namespace

Result<Pattern> Pattern::compile(std::string_view text) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMemoryBytes);
  auto compiled = std::make_shared<const re2::RE2>(re2::StringPiece(text.data(), text.size()), options);
  if (!compiled->ok()) return fail(Status::invalid, "is not a regular expression: " + compiled->error());
  return Pattern(std::move(compiled));
}

void Pattern::replace_all(std::string& text, std::string_view with) const {
  const re2::StringPiece input(text.data(), text.size());
  re2::StringPiece match;
  std::string out;
  size_t kept = 0;
  for (size_t at = 0; at <= text.size() && compiled_->Match(input, at, text.size(), re2::RE2::UNANCHORED, &match, 1);) {
    const size_t begin = static_cast<size_t>(match.data() - text.data());
    if (match.empty()) {  // the next one may begin at the next character
      at = begin + 1;
      while (at < text.size() && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80)
        ++at;
      continue;
    }
    out.append(text, kept, begin - kept).append(with);
    at = kept = begin + match.size();
  }
  if (kept == 0) return;
  out.append(text, kept);
  text = std::move(out);
}

}  // namespace mcptoken::pattern
