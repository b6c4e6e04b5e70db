#include "gateway/plugins/cut.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "json/outline.h"

namespace mcptoken::gateway {
namespace {

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r\n") == line.npos; }

// With its line break.
std::string_view line_at(std::string_view text, size_t at) {
  const size_t end = text.find('\n', at);
  return text.substr(at, end == text.npos ? text.npos : end + 1 - at);
}

bool is_fence(std::string_view line) { return line.starts_with("```") || line.starts_with("~~~"); }

constexpr auto kDefinitionWords = std::to_array<std::string_view>(
    {"def ",   "class ",    "function ", "func ",      "fn ",        "pub ",     "struct ", "enum ",
     "union ", "impl ",     "trait ",    "interface ", "namespace ", "module ",  "export ", "const ",
     "async ", "public ",   "private ",  "protected ", "static ",    "template", "type ",   "void ",
     "int ",   "#include ", "import ",   "package ",   "use ",       "@"});

// What a page of it is made of, by its first part: a look at all of a long text would tell no more.
constexpr size_t kLookedAt = 64 * 1024;

std::vector<Border> json_borders(std::string_view text) {
  std::vector<Border> out;
  uint32_t depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      for (++i; i < text.size() && text[i] != '"'; ++i) {
        if (text[i] == '\\') ++i;
      }
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      --depth;
    } else if (c == ',') {
      size_t at = text.find_first_not_of(" \t\r\n", i + 1);
      if (at == text.npos) at = text.size();
      out.push_back({at, depth});
    }
  }
  return out;
}

}  // namespace

bool is_heading(std::string_view line) {
  const size_t marks = std::min(line.find_first_not_of('#'), line.size());
  return marks >= 1 && marks <= 6 && marks < line.size() && (line[marks] == ' ' || line[marks] == '\t');
}

bool is_definition(std::string_view line) {
  return std::any_of(kDefinitionWords.begin(), kDefinitionWords.end(),
                     [&](std::string_view word) { return line.starts_with(word); });
}

Form form_of(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == text.npos) return Form::text;
  if (text[first] == '{' || text[first] == '[') {
    json::ReadLimits limits;
    limits.bytes = text.size();
    limits.members = text.size();
    if (json::validate(text, limits)) return Form::json;
  }
  size_t headings = 0, definitions = 0, others = 0;
  bool fenced = false;
  const std::string_view head = text.substr(0, kLookedAt);
  for (size_t at = 0; at < head.size();) {
    const auto line = line_at(head, at);
    at += line.size();
    if (is_fence(line)) fenced = !fenced;
    if (fenced || is_blank(line)) continue;
    if (is_heading(line))
      ++headings;
    else if (is_definition(line))
      ++definitions;
    else
      ++others;
  }
  // In a shell script or in Python a heading is a comment: there the definitions decide.
  if (definitions >= 3 && definitions > headings && definitions * 20 >= others) return Form::code;
  return headings > 0 ? Form::markdown : Form::text;
}

std::vector<Border> borders_of(std::string_view text, Form form) {
  if (form == Form::json) return json_borders(text);
  std::vector<Border> out;
  bool fenced = false, after_blank = false;
  for (size_t at = 0; at < text.size();) {
    const auto line = line_at(text, at);
    const bool fence = form == Form::markdown && is_fence(line);
    if (at > 0) {
      const bool head =
          form == Form::markdown ? !fenced && is_heading(line) : form == Form::code && is_definition(line);
      out.push_back({at, head ? kHeading : after_blank && !fenced ? kParagraph : kLine});
    }
    if (fence) fenced = !fenced;
    after_blank = is_blank(line);
    at += line.size();
  }
  return out;
}

size_t character_border(std::string_view text, size_t at) {
  if (at >= text.size()) return text.size();
  constexpr size_t kContinuations = 3;
  for (size_t back = 0; back <= kContinuations && back <= at; ++back) {
    if ((static_cast<uint8_t>(text[at - back]) & 0xC0) != 0x80) return at - back;
  }
  return at;
}

std::vector<size_t> cut(std::string_view text, const std::vector<Border>& borders, size_t most) {
  std::vector<size_t> out;
  auto next = borders.begin();
  for (size_t begin = 0; begin < text.size();) {
    if (text.size() - begin <= most) {
      out.push_back(text.size());
      break;
    }
    const size_t half = begin + most / 2, limit = begin + most;
    while (next != borders.end() && next->at <= begin)
      ++next;
    const Border* best = nullptr;
    for (auto it = next; it != borders.end() && it->at <= limit; ++it) {
      const bool late = it->at >= half;
      // In the first half the last one is best, whatever its rank: short pieces help nobody.
      if (!best || (late && (best->at < half || it->rank <= best->rank)) || (!late && best->at < it->at)) best = &*it;
    }
    size_t end = best ? best->at : 0;
    if (!best) {
      const size_t blank = text.substr(half, most - most / 2).rfind(' ');
      end = blank != text.npos ? half + blank + 1 : character_border(text, limit);
    }
    if (end <= begin) end = limit;  // no UTF-8: anything, but onwards
    out.push_back(end);
    begin = end;
  }
  return out;
}

std::string one_line(std::string_view text, size_t most) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == text.npos) return "";
  text = text.substr(begin);
  text = trim(text.substr(0, text.find_first_of("\r\n")));
  std::string out;
  constexpr std::string_view kMore = "…";
  const bool longer = text.size() > most;
  if (longer) text = text.substr(0, character_border(text, most > kMore.size() ? most - kMore.size() : 0));
  for (const char c : text)
    out.push_back(static_cast<uint8_t>(c) < 0x20 || c == 0x7f ? ' ' : c);
  if (longer) out += kMore;
  return out;
}

}  // namespace mcptoken::gateway
