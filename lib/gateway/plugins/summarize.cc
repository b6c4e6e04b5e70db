#include <algorithm>
#include <set>

#include "base/bytes.h"
#include "gateway/plugins/cut.h"
#include "gateway/plugins/stage.h"

namespace mcptoken::gateway {
namespace {

constexpr size_t kShownKeys = 12;

std::string counted(size_t n, std::string_view one, std::string_view many) {
  return std::to_string(n) + " " + std::string(n == 1 ? one : many);
}

// Names of members, in their order, each once. The section may be any part of a document.
std::vector<std::string> keys_of(std::string_view text) {
  std::vector<std::string> out;
  std::set<std::string, std::less<>> seen;
  for (size_t i = 0; i < text.size() && out.size() <= kShownKeys; ++i) {
    if (text[i] != '"') continue;
    const size_t begin = i + 1;
    for (++i; i < text.size() && text[i] != '"'; ++i) {
      if (text[i] == '\\') ++i;
    }
    if (i >= text.size()) break;
    const size_t colon = text.find_first_not_of(" \t\r\n", i + 1);
    if (colon == text.npos || text[colon] != ':') continue;
    auto key = one_line(text.substr(begin, i - begin), 40);
    if (!key.empty() && seen.insert(key).second) out.push_back(std::move(key));
  }
  return out;
}

// Of prose: what comes after the heading, up to the end of its first sentence.
std::string first_sentence(std::string_view text, std::string_view title, size_t most) {
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const auto line = trim(text.substr(at, end - at));
    at = end + 1;
    if (line.empty() || is_heading(line) || line == title || line.starts_with("```") || line.starts_with("---"))
      continue;
    size_t stop = line.npos;
    for (std::string_view mark : {". ", "! ", "? "})
      stop = std::min(stop, line.find(mark));
    return one_line(stop == line.npos ? line : line.substr(0, stop + 1), most);
  }
  return "";
}

}  // namespace

std::string structural_summary(const Section& section, size_t most) {
  const std::string_view text = section.content;
  const size_t lines = static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) + !text.ends_with('\n');
  const size_t first = text.find_first_not_of(" \t\r\n");
  std::string out;
  if (first != text.npos && std::string_view("{[\"").find(text[first]) != std::string_view::npos) {
    const auto keys = keys_of(text);
    for (size_t i = 0; i < keys.size() && i < kShownKeys; ++i)
      out += (i == 0 ? "Keys: " : ", ") + keys[i];
    if (keys.size() > kShownKeys) out += ", …";
    if (!out.empty()) out += ". ";
    out += counted(static_cast<size_t>(std::count(text.begin(), text.end(), '{')), "object", "objects");
  } else {
    out = first_sentence(text, section.title, most);
    size_t headings = 0;
    for (size_t at = 0; at < text.size(); at = std::min(text.find('\n', at), text.size() - 1) + 1)
      headings += is_heading(text.substr(at, 8));
    if (!out.empty()) out += " ";
    out += "(" + counted(lines, "line", "lines");
    if (headings > 1) out += ", " + counted(headings, "heading", "headings");
    out += ")";
  }
  return one_line(out, most);
}

Content index_sections(Content content, const std::vector<std::string>& summaries) {
  if (content.sections.empty() || content.paged) return content;
  size_t bytes = 0;
  for (const Section& section : content.sections)
    bytes += section.content.size();
  std::string text =
      std::to_string(content.sections.size()) + " sections, " + std::to_string(bytes) + " bytes in all:\n";
  for (size_t i = 0; i < content.sections.size(); ++i) {
    const Section& section = content.sections[i];
    text.append("- ").append(section.id);
    if (!section.title.empty()) text.append(": ").append(section.title);
    text.append(" (").append(std::to_string(section.content.size())).append(" bytes)");
    if (i < summaries.size() && !summaries[i].empty()) text.append(". ").append(summaries[i]);
    text.push_back('\n');
  }
  content.text = std::move(text);
  return content;
}

}  // namespace mcptoken::gateway
