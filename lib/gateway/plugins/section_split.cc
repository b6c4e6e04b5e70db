#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "base/bytes.h"
#include "gateway/plugins/cut.h"
#include "gateway/plugins/stage.h"

namespace mcptoken::gateway {
namespace {

constexpr size_t kTitleBytes = 80;
constexpr size_t kIdBytes = 40;

struct Piece {
  size_t begin = 0, end = 0;
  std::string title;
};

// A member's name with its value's kind of beginning, or the element's place in the list.
std::string json_title(std::string_view text, size_t at, size_t index) {
  while (at < text.size() && std::string_view("{[ \t\r\n").find(text[at]) != std::string_view::npos)
    ++at;
  std::string place = "[";
  place.append(std::to_string(index)).append("]");
  if (at >= text.size() || text[at] != '"') return place;
  size_t end = at + 1;
  for (; end < text.size() && text[end] != '"'; ++end) {
    if (text[end] == '\\') ++end;
  }
  const size_t colon = text.find_first_not_of(" \t\r\n", end + 1);
  if (colon == text.npos || text[colon] != ':') return place;
  return one_line(text.substr(at + 1, std::min(end, text.size()) - at - 1), kTitleBytes);
}

std::string title_of(std::string_view piece, Form form) {
  std::string title = one_line(piece, kTitleBytes);
  if (form == Form::markdown && is_heading(title)) {
    title = std::string(trim(std::string_view(title).substr(title.find_first_not_of('#'))));
    while (title.ends_with('#'))
      title.pop_back();
    title = std::string(trim(title));
  }
  return title;
}

bool begins_section(const Border& border, Form form) {
  if (form == Form::json) return border.rank == 1;
  return form == Form::text ? border.rank <= kParagraph : border.rank == kHeading;
}

std::vector<Piece> natural_pieces(std::string_view text, Form form, const std::vector<Border>& borders) {
  const size_t open = text.find_first_of("[{");
  const bool list = form == Form::json && open != text.npos && text[open] == '[';
  std::vector<Piece> out;
  size_t begin = 0;
  auto add = [&](size_t end) {
    if (end <= begin) return;
    Piece piece{begin, end, ""};
    if (list)
      piece.title = "[" + std::to_string(out.size()) + "]";
    else if (form == Form::json)
      piece.title = json_title(text, begin, out.size());
    else
      piece.title = title_of(text.substr(begin, end - begin), form);
    out.push_back(std::move(piece));
    begin = end;
  };
  for (const Border& border : borders) {
    if (begins_section(border, form)) add(border.at);
  }
  add(text.size());
  return out;
}

// Small ones go with what follows them, as a heading does with its text; the last one with what is before it.
std::vector<Piece> join_small(std::vector<Piece> pieces, size_t least, bool ranges) {
  std::vector<Piece> out;
  std::string last_title;
  auto close = [&] {
    if (ranges && !out.empty() && !last_title.empty()) out.back().title += " – " + last_title;
    last_title.clear();
  };
  for (Piece& piece : pieces) {
    if (!out.empty() && out.back().end - out.back().begin < least) {
      out.back().end = piece.end;
      last_title = piece.title;
      if (out.back().title.empty()) out.back().title = piece.title;
    } else {
      close();
      out.push_back(std::move(piece));
    }
  }
  close();
  if (out.size() > 1 && out.back().end - out.back().begin < least) {
    out[out.size() - 2].end = out.back().end;
    out.pop_back();
  }
  return out;
}

std::string slug(std::string_view title) {
  std::string out;
  for (const char c : lower(title)) {
    if (is_alpha(c) || is_digit(c))
      out.push_back(c);
    else if (!out.empty() && out.back() != '-')
      out.push_back('-');
    if (out.size() >= kIdBytes) break;
  }
  while (out.ends_with('-'))
    out.pop_back();
  return out.empty() ? "section" : out;
}

// Thousands of equal titles cost no more than others: each goes on where the last one of its kind was.
void give_ids(std::vector<Section>& sections) {
  std::unordered_set<std::string> taken;
  std::unordered_map<std::string, size_t> last;
  for (Section& section : sections) {
    const std::string base = slug(section.title);
    section.id = base;
    for (size_t& n = last.emplace(base, 1).first->second; !taken.insert(section.id).second;)
      section.id = base + "-" + std::to_string(++n);
  }
}

}  // namespace

Content split_sections(Content content, const SectionSplitConfig& config) {
  if (!content.sections.empty()) return content;
  const std::string_view text = content.text;
  const Form form = form_of(text);
  const auto borders = borders_of(text, form);
  std::vector<Section> sections;
  for (const Piece& piece : join_small(natural_pieces(text, form, borders), config.min_bytes, form == Form::json)) {
    const auto inside = text.substr(piece.begin, piece.end - piece.begin);
    if (inside.size() <= config.max_bytes) {
      sections.push_back({"", piece.title, std::string(inside)});
      continue;
    }
    std::vector<Border> own;
    for (auto it = std::lower_bound(borders.begin(), borders.end(), piece.begin + 1,
                                    [](const Border&border, size_t at) { return border.at < at; });
         it != borders.end() && it->at < piece.end; ++it) {
      own.push_back({it->at - piece.begin, it->rank});
    }
    size_t begin = 0, part = 1;
    for (const size_t end : cut(inside, own, config.max_bytes)) {
      std::string title = part == 1 ? piece.title : piece.title + " (" + std::to_string(part) + ")";
      sections.push_back({"", std::move(title), std::string(inside.substr(begin, end - begin))});
      begin = end, ++part;
    }
  }
  if (sections.size() < 2) return content;
  give_ids(sections);
  content.sections = std::move(sections);
  return index_sections(std::move(content), {});
}

}  // namespace mcptoken::gateway
