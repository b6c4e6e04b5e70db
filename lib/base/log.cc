#include "base/log.h"

#include "base/bytes.h"

namespace mcptoken {

std::string redact(std::string_view text) {
  static constexpr std::string_view kMarks[] = {"mcpctl_pat_", "mcpctl_ses_", "mcpctl_wat_"};
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    bool hit = false;
    for (std::string_view mark : kMarks) {
      if (!text.substr(i).starts_with(mark)) continue;
      size_t end = i + mark.size();
      while (end < text.size() && (is_digit(text[end]) || is_alpha(text[end]))) ++end;
      if (end - i - mark.size() <= 4) continue;  // the display prefix is public
      out.append(mark).append("[redacted]");
      i = end;
      hit = true;
      break;
    }
    if (!hit) out.push_back(text[i++]);
  }
  return out;
}

}  // namespace mcptoken
