#include "base/log.h"

#include "base/bytes.h"

namespace mcptoken {

namespace {

constexpr std::string_view kStart = "mcpctl_";
constexpr std::string_view kMarks[] = {"mcpctl_pat_", "mcpctl_ses_", "mcpctl_wat_"};
constexpr size_t kShown = 4;  // behind the mark: the display prefix is public

// Where the credential ends that begins at `text`; 0: it does not.
size_t end_of_credential(std::string_view text) {
  for (std::string_view mark : kMarks) {
    if (!text.starts_with(mark)) continue;
    size_t end = mark.size();
    const auto goes_on = [&] { return (is_digit(text[end]) || is_alpha(text[end])) && !text.substr(end).starts_with(kStart); };
    while (end < text.size() && goes_on()) ++end;
    return end - mark.size() > kShown ? end : 0;
  }
  return 0;
}

}  // namespace

// By the piece: answers of servers with megabytes of text pass here, too.
std::string redact(std::string_view text) {
  std::string out;
  size_t done = 0;
  for (size_t at = text.find(kStart); at != text.npos; at = text.find(kStart, at)) {
    const size_t size = end_of_credential(text.substr(at));
    if (size > 0) {
      out.append(text, done, at - done).append(text, at, kMarks[0].size()).append("[redacted]");
      done = at + size;
    }
    at += size > 0 ? size : kStart.size();
  }
  return out.append(text, done);
}

}  // namespace mcptoken
